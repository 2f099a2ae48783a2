import type { Db } from '../platform/db/index.ts';
import type { ServerDefinition, StoredOrigin } from './contract.ts';
import { existing } from './edit.ts';
import { notFound } from './errors.ts';
import { findGroup, putGroupGrant } from './groups-store.ts';
import {
  findServer,
  insertServer,
  reinstallServer,
  type ServerView,
  type StoredServer,
  updateServer,
  viewOf,
} from './servers-store.ts';
import { lockWrites } from './store-lock.ts';
import { findTenant, putVariables } from './tenants-store.ts';

/** What becomes of a server that is installed from the catalog. */
export interface Installation {
  readonly id: string;
  /** Looks at the server of that id, if there is one, and says what to do. May throw an AppError. */
  readonly decide: (found: StoredServer | undefined) => Decision;
  /** Whose values they are; null for everybody who has none. */
  readonly tenant: string | null;
  /** Values that are no secrets, by name. Others that the tenant or the server has stay. */
  readonly variables: Readonly<Record<string, string>>;
  /** They get a grant of every tool, where they have none yet. */
  readonly groups: readonly string[];
}

export type Decision =
  | {
      readonly kind: 'create' | 'replace';
      readonly definition: ServerDefinition;
      readonly origin: StoredOrigin;
    }
  | { readonly kind: 'add' };

export interface Installed {
  readonly created: boolean;
  readonly before: ServerView | null;
  readonly after: ServerView;
}

/** Everything about a server that this feature keeps, within the transaction of the caller. Throws AppErrors. */
export async function installServer(trx: Db, installation: Installation): Promise<Installed> {
  const { id, tenant, decide } = installation;
  await lockWrites(trx);
  if (tenant !== null) existing(await findTenant(trx, tenant), notFound('tenant', tenant));
  const found = await findServer(trx, id);
  const decision = decide(found);
  await storeServer(trx, id, decision, found);
  await storeVariables(trx, installation);
  await grantTo(trx, installation);
  const after = viewOf(existing(await findServer(trx, id), notFound('server', id)));
  if (after === null) throw new Error('what was just stored cannot be read');
  return { created: decision.kind === 'create', before: found ? viewOf(found) : null, after };
}

async function storeServer(
  trx: Db,
  id: string,
  decision: Decision,
  found: StoredServer | undefined,
): Promise<void> {
  if (decision.kind === 'add') return;
  const { definition, origin } = decision;
  if (found) return reinstallServer(trx, id, { definition, origin });
  await insertServer(trx, id, definition, origin);
}

async function storeVariables(trx: Db, { id, tenant, variables }: Installation): Promise<void> {
  if (Object.keys(variables).length === 0) return;
  if (tenant !== null) {
    const stored = await findTenant(trx, tenant);
    return putVariables(trx, tenant, id, { ...stored?.variables[id], ...variables });
  }
  const { definition, managedBy } = existing(await findServer(trx, id), notFound('server', id));
  if (definition === null) throw new Error('what was just stored cannot be read');
  const merged = { ...definition, variables: { ...definition.variables, ...variables } };
  await updateServer(trx, id, { definition: merged, managedBy });
}

/** A grant that is there already may be narrower, and stays so. */
async function grantTo(trx: Db, { id, groups }: Installation): Promise<void> {
  for (const name of groups) {
    const group = existing(await findGroup(trx, name), notFound('group', name));
    if (group.servers.every(({ server }) => server !== id)) await putGroupGrant(trx, name, id, ['*']);
  }
}
