import type { z } from 'zod';
import type { AuditEntry } from '../../audit/contract.ts';
import { writeAudit } from '../../audit/index.ts';
import { type Actor, type Page, type Route, route } from '../../platform/contract.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { serverNotFound, tenantNotFound, userNotFound } from '../errors.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import { serverExists, tenantExists, userExists } from '../keys/store.ts';
import type { Accounts, AccountServer } from './accounts.ts';
import { type AccountRow, listAccounts } from './accounts-store.ts';
import { scope } from '../scope.ts';
import {
  type ClientPlace,
  type ClientRow,
  deleteClients,
  findClient,
  listStoredClients,
} from './clients/clients-store.ts';
import { api } from './endpoints.ts';
import { accountNotFound, accountsCursorInvalid, issuerNeeded, oauthClientNotFound } from './errors.ts';
import { storeClient } from './clients/store-client.ts';

export interface AccountRoutesOptions {
  readonly database: Pick<Database, 'db' | 'forTenant'>;
  readonly box: SecretBox;
  readonly accounts: Accounts;
  /** A server as a tenant reaches it, or as everybody does; undefined where nobody signs in to it. */
  readonly serverOf: (tenant: string | null, server: string) => AccountServer | undefined;
}

/** What administrators see and do of accounts. Tokens and secrets never go out. */
export function accountRoutes(o: AccountRoutesOptions): Route[] {
  return [...ofAccounts(o), ...ofClients(o)];
}

function ofAccounts({ database: { db }, accounts }: AccountRoutesOptions): Route[] {
  return [
    route(api.listAccounts, async ({ query }) => {
      const { limit, cursor, ...filter } = query;
      return pageOf(await listAccounts(db, { ...filter, limit: limit + 1, after: after(cursor) }), limit);
    }),
    route(api.listUserAccounts, async ({ params, query: { limit, cursor } }) => {
      if (!(await userExists(db, params.email))) throw userNotFound(params.email);
      const filter = { user: params.email, limit: limit + 1, after: after(cursor) };
      return pageOf(await listAccounts(db, filter), limit);
    }),
    route(api.disconnectAccount, async ({ params: { email: user, server }, query, actor }) => {
      const all = await listAccounts(db, { user, server, limit: 1000 });
      const chosen = all.filter(({ tenant }) => query.tenant === undefined || tenant === query.tenant);
      const items = [];
      for (const { tenant } of chosen) {
        const { existed, revoked } = await accounts.disconnect({ tenant, user, server }, actor);
        if (existed) items.push({ tenant, revoked });
      }
      if (items.length === 0) throw accountNotFound(user, server);
      return { items };
    }),
  ];
}

function ofClients(o: AccountRoutesOptions): Route[] {
  return [
    route(api.listClients, () => listed(o, null)),
    route(api.putClient, ({ params: { server }, body, actor }) =>
      setClient(o, { tenant: null, server }, body, actor),
    ),
    route(api.deleteClient, ({ params: { server }, actor }) =>
      removeClient(o, { tenant: null, server }, actor),
    ),
    route(api.listTenantClients, async ({ params: { id } }) => {
      if (!(await tenantExists(scope(o.database, id), id))) throw tenantNotFound(id);
      return listed(o, id);
    }),
    route(api.putTenantClient, ({ params: { id, server }, body, actor }) =>
      setClient(o, { tenant: id, server }, body, actor),
    ),
    route(api.deleteTenantClient, ({ params: { id, server }, actor }) =>
      removeClient(o, { tenant: id, server }, actor),
    ),
  ];
}

async function listed({ database }: AccountRoutesOptions, tenant: string | null) {
  const rows = await listStoredClients(scope(database, tenant), tenant);
  return { items: rows.map(clientView), nextCursor: null };
}

async function setClient(
  { database, box, accounts, serverOf }: AccountRoutesOptions,
  place: ClientPlace,
  { clientId, clientSecret, issuer: stated }: z.infer<typeof api.putClient.body>,
  actor: Actor,
): Promise<z.input<typeof api.putClient.output>> {
  const issuer = stated ?? (await namedIssuer(accounts, serverOf(place.tenant, place.server), place.server));
  const client = { clientId, secret: clientSecret ?? null, issuer };
  await scope(database, place.tenant)
    .transaction()
    .execute(async (trx) => {
      await requirePlace(trx, place);
      const before = await findClient(trx, place, 'stored');
      const row = await storeClient(trx, { box, by: actor.id }, place, client);
      await audit(trx, place, actor, {
        action: before ? 'oauth_client.replace' : 'oauth_client.create',
        before: before ? shown(before) : null,
        after: shown(row),
      });
    });
  return { ok: true, issuer, redirectUri: accounts.redirectUri };
}

/** The issuer that a server names, where the administrator stated none. */
async function namedIssuer(
  accounts: Accounts,
  server: AccountServer | undefined,
  id: string,
): Promise<string> {
  if (!server) throw issuerNeeded(id);
  return accounts.issuerOf(server);
}

async function removeClient(
  { database }: AccountRoutesOptions,
  place: ClientPlace,
  actor: Actor,
): Promise<undefined> {
  await scope(database, place.tenant)
    .transaction()
    .execute(async (trx) => {
      const removed = await deleteClients(trx, place);
      if (removed.length === 0) {
        await requirePlace(trx, place);
        throw oauthClientNotFound(place.server);
      }
      const before = removed.map(shown);
      await audit(trx, place, actor, { action: 'oauth_client.delete', before, after: null });
    });
  return undefined;
}

async function requirePlace(trx: Db, { tenant, server }: ClientPlace): Promise<void> {
  if (tenant !== null && !(await tenantExists(trx, tenant))) throw tenantNotFound(tenant);
  if (!(await serverExists(trx, server))) throw serverNotFound(server);
}

async function audit(
  trx: Db,
  { tenant, server }: ClientPlace,
  actor: Actor,
  change: Pick<AuditEntry, 'action' | 'before' | 'after'>,
): Promise<void> {
  const { id, requestId, clientIp } = actor;
  const target = { targetKind: 'oauth_client', targetId: server, tenant };
  await writeAudit(trx, { actor: id, requestId, clientIp, ...target, ...change });
}

function shown({ issuer, clientId, source, sealed }: ClientRow) {
  return { issuer, clientId, source, isPublic: sealed === null };
}

function clientView({ tenant, server, issuer, clientId, sealed, updatedAt, updatedBy }: ClientRow) {
  const hasSecret = sealed !== null;
  return { tenant, server, issuer, clientId, hasSecret, updatedAt: updatedAt.toISOString(), updatedBy };
}

function accountView(row: AccountRow) {
  const { user, tenant, server, state, problem, issuer, scopes, connectedAt, refreshedAt } = row;
  return {
    ...{ user, tenant, server, state, problem, issuer, scopes: [...scopes] },
    connectedAt: connectedAt.toISOString(),
    refreshedAt: refreshedAt?.toISOString() ?? null,
  };
}

function after(cursor: string | undefined): string | undefined {
  const id = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString();
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
    throw accountsCursorInvalid();
  return id;
}

/** Of rows that were asked for with one more than `limit`. */
function pageOf(rows: readonly AccountRow[], limit: number): Page<ReturnType<typeof accountView>> {
  const shownRows = rows.slice(0, limit);
  const last = rows.length > limit ? shownRows.at(-1) : undefined;
  return {
    items: shownRows.map(accountView),
    nextCursor: last ? Buffer.from(last.id).toString('base64url') : null,
  };
}
