import type { AuditEntry } from '../audit/contract.ts';
import { writeAudit } from '../audit/index.ts';
import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { api } from './contract.ts';
import { credentialMalformed, credentialNotFound, serverNotFound, tenantNotFound } from './errors.ts';
import { type Binding, sharedOwner, tenantOwner } from './binding.ts';
import type { SecretBox } from './secret-box.ts';
import { deleteSealed, listKeys, putSealed, serverExists, tenantExists } from './store.ts';

export interface SecretRoutesOptions {
  readonly db: Db;
  readonly box: SecretBox;
  /** Called after each committed change; usually the vault's `refresh`. */
  readonly changed: () => Promise<void>;
}

/** The keys of tenants and the shared ones. Values come in and never go out again. */
export function secretRoutes(o: SecretRoutesOptions): Route[] {
  return [
    route(api.listTenantKeys, async ({ params }) => {
      if (!(await tenantExists(o.db, params.id))) throw tenantNotFound(params.id);
      return { items: await listKeys(o.db, params.id), nextCursor: null };
    }),
    route(api.putTenantKey, ({ params, body, actor }) =>
      putKey(
        o,
        { tenant: params.id, owner: tenantOwner(params.id), server: params.server, name: body.name },
        body.value,
        actor,
      ),
    ),
    route(api.deleteTenantKey, ({ params, query, actor }) =>
      deleteKey(
        o,
        { tenant: params.id, owner: tenantOwner(params.id), server: params.server, name: query.name },
        actor,
      ),
    ),
    route(api.listSharedKeys, async () => ({ items: await listKeys(o.db, null), nextCursor: null })),
    route(api.putSharedKey, ({ params, body, actor }) =>
      putKey(
        o,
        { tenant: null, owner: sharedOwner, server: params.server, name: body.name },
        body.value,
        actor,
      ),
    ),
    route(api.deleteSharedKey, ({ params, query, actor }) =>
      deleteKey(o, { tenant: null, owner: sharedOwner, server: params.server, name: query.name }, actor),
    ),
  ];
}

async function putKey(
  o: SecretRoutesOptions,
  binding: Binding,
  value: string,
  actor: Actor,
): Promise<{ ok: true }> {
  if (value.includes('\0')) throw credentialMalformed('holds a NUL character');
  const sealed = o.box.seal(value, binding);
  const lastFour = lastFourOf(value);
  await o.db.transaction().execute(async (trx) => {
    await requireOwner(trx, binding);
    const { previousLastFour } = await putSealed(trx, { ...binding, sealed, lastFour, updatedBy: actor.id });
    const before = previousLastFour === null ? null : shown(binding, previousLastFour);
    await audit(trx, binding, actor, { action: 'credential.set', before, after: shown(binding, lastFour) });
  });
  await o.changed();
  return { ok: true };
}

async function deleteKey(o: SecretRoutesOptions, binding: Binding, actor: Actor): Promise<undefined> {
  await o.db.transaction().execute(async (trx) => {
    const deleted = await deleteSealed(trx, binding);
    if (!deleted) {
      await requireOwner(trx, binding);
      throw credentialNotFound(binding);
    }
    await audit(trx, binding, actor, {
      action: 'credential.delete',
      before: shown(binding, deleted.lastFour),
      after: null,
    });
  });
  await o.changed();
}

/** Few enough characters of a long enough secret that they help to recognise it and not to guess it. */
function lastFourOf(value: string): string {
  const characters = [...value];
  return characters.length >= 12 ? characters.slice(-4).join('') : '';
}

function shown({ name }: Binding, lastFour: string): { name: string; lastFour: string } {
  return { name, lastFour };
}

async function audit(
  trx: Db,
  { tenant, server }: Binding,
  actor: Actor,
  change: Pick<AuditEntry, 'action' | 'before' | 'after'>,
): Promise<void> {
  await writeAudit(trx, {
    actor: actor.id,
    targetKind: 'credential',
    targetId: server,
    tenant,
    ...change,
    requestId: actor.requestId,
    clientIp: actor.clientIp,
  });
}

async function requireOwner(trx: Db, { tenant, server }: Binding): Promise<void> {
  if (tenant !== null && !(await tenantExists(trx, tenant))) throw tenantNotFound(tenant);
  if (!(await serverExists(trx, server))) throw serverNotFound(server);
}
