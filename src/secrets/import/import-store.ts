// What an import looks up and writes, many rows with one statement. It spans tenants: the operator's scope.
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { Binding, Level } from '../binding.ts';

/** What rows may name. */
export interface World {
  readonly tenants: ReadonlySet<string>;
  /** To the tenant that each group belongs to. */
  readonly groups: ReadonlyMap<string, string | null>;
  readonly users: ReadonlySet<string>;
}

/** Only what these rows name, and what is there stays until the end of the transaction. */
export async function worldOf(
  trx: Db,
  named: { tenants: readonly string[]; groups: readonly string[]; users: readonly string[] },
): Promise<World> {
  const { rows: tenants } = await sql<{ id: string }>`
    select id from mcp_proxy.tenants where id = any(${named.tenants}::text[]) for key share`.execute(trx);
  const { rows: groups } = await sql<{ name: string; tenant: string | null }>`
    select name, tenant_id as tenant from mcp_proxy.groups where name = any(${named.groups}::text[]) for share`.execute(
    trx,
  );
  const { rows: users } = await sql<{ email: string }>`
    select email from mcp_proxy.users where email = any(${named.users}::text[]) for key share`.execute(trx);
  return {
    tenants: new Set(tenants.map(({ id }) => id)),
    groups: new Map(groups.map(({ name, tenant }) => [name, tenant])),
    users: new Set(users.map(({ email }) => email)),
  };
}

export interface NewKey {
  readonly binding: Binding;
  readonly sealed: string;
  readonly lastFour: string;
}

/** The last four characters of what is stored where these bindings lead, by their position; locks those rows. */
export async function storedAlready(trx: Db, bindings: readonly Binding[]): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const { table, owner, levels } of tables) {
    const wanted = bindings.flatMap((binding, at) =>
      levels.includes(binding.owner.level) ? [{ ...flat(binding), at }] : [],
    );
    if (wanted.length === 0) continue;
    const ofOwner = owner === null ? sql`true` : sql`${sql.ref(`k.${owner}`)} = x.owner`;
    const { rows } = await sql<{ at: number; lastFour: string }>`
      select x.at, k.last_four as "lastFour" from ${sql.table(table)} k
      join jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as x (at int, tenant text, owner text, server text, name text)
        on k.tenant_id is not distinct from x.tenant and ${ofOwner} and k.server_id = x.server and k.name = x.name
      for update of k`.execute(trx);
    for (const { at, lastFour } of rows) found.set(at, lastFour);
  }
  return found;
}

/** Sets or replaces credentials of owners and servers that exist; no two of one place. */
export async function putMany(trx: Db, keys: readonly NewKey[], updatedBy: string): Promise<void> {
  for (const { table, owner, levels } of tables) {
    const rows = keys
      .filter(({ binding }) => levels.includes(binding.owner.level))
      .map(({ binding, sealed, lastFour }) => ({ ...flat(binding), sealed, lastFour }));
    if (rows.length === 0) continue;
    const column = owner === null ? sql`` : sql`${sql.ref(owner)},`;
    await sql`
      insert into ${sql.table(table)} (id, tenant_id, ${column} server_id, name, sealed, last_four, updated_by)
      select gen_random_uuid(), x.tenant, ${ownerValue(owner)} x.server, x.name, x.sealed, x."lastFour", ${updatedBy}
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as x (tenant text, owner text, server text, name text, sealed text, "lastFour" text)
      on conflict (tenant_id, ${column} server_id, name) do update
        set sealed = excluded.sealed, last_four = excluded.last_four, updated_at = now(), updated_by = excluded.updated_by`.execute(
      trx,
    );
  }
}

interface Table {
  readonly table: string;
  readonly owner: string | null;
  readonly levels: readonly Level[];
}

const tables: readonly Table[] = [
  { table: 'mcp_proxy.credentials', owner: null, levels: ['tenant', 'shared'] },
  { table: 'mcp_proxy.group_credentials', owner: 'group_name', levels: ['group'] },
  { table: 'mcp_proxy.user_credentials', owner: 'user_email', levels: ['user'] },
];

function flat({ tenant, owner, server, name }: Binding) {
  return { tenant, owner: owner.id, server, name };
}

function ownerValue(owner: string | null): RawBuilder<unknown> {
  return owner === null ? sql`` : sql`x.owner,`;
}
