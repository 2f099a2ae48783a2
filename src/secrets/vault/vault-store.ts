// What the vault reads and writes: every tenant's, so it is the operator's scope throughout.
import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { Binding, Level } from '../binding.ts';

/** A credential as it lies in the database. */
export interface SealedRow extends Binding {
  readonly id: string;
  readonly sealed: string;
  readonly lastFour: string;
}

/** What a process has to take in to hold what the database holds. */
export interface Loaded {
  readonly rows: readonly SealedRow[];
  /** How many there are in all. */
  readonly total: number;
  /** What this look could see; the next one is asked for what is new to it. */
  readonly seen: string;
}

type Stored = Omit<SealedRow, 'owner'> & { level: Level; owner: string | null };

/** Every sealed credential, or with `since` those that were written in transactions that look could not see. */
export function loadSealed(db: Db, since: string | null): Promise<Loaded> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      const { rows: counted } = await sql<{ total: number; seen: string }>`
        select (select count(*) from mcp_proxy.credentials)::int + (select count(*) from mcp_proxy.group_credentials)::int
          + (select count(*) from mcp_proxy.user_credentials)::int as total,
          pg_current_snapshot()::text as seen`.execute(trx);
      const { rows } = await sql<Stored>`
        with all_credentials as (
          select id, case when tenant_id is null then 'shared' else 'tenant' end as level, tenant_id as owner,
            tenant_id, server_id, name, sealed, last_four, changed_in from mcp_proxy.credentials
          union all
          select id, 'group', group_name, tenant_id, server_id, name, sealed, last_four, changed_in
          from mcp_proxy.group_credentials
          union all
          select id, 'user', user_email, tenant_id, server_id, name, sealed, last_four, changed_in
          from mcp_proxy.user_credentials
        )
        select id::text as id, level, owner, tenant_id as tenant, server_id as server, name, sealed,
          last_four as "lastFour"
        from all_credentials
        where ${since}::text is null or not pg_visible_in_snapshot(changed_in, ${since}::pg_snapshot)`.execute(
        trx,
      );
      const { total = 0, seen = '' } = counted[0] ?? {};
      return {
        rows: rows.map(({ level, owner, ...row }) => ({ ...row, owner: { level, id: owner } })),
        total,
        seen,
      };
    });
}

/** Which credentials there are, for whoever holds some that are not there any more. */
export async function loadIds(db: Db): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select id::text as id from mcp_proxy.credentials
    union all select id::text from mcp_proxy.group_credentials
    union all select id::text from mcp_proxy.user_credentials`.execute(db);
  return new Set(rows.map(({ id }) => id));
}

/** Notes when credentials were last used; a time that is older than the stored one changes nothing. */
export async function saveLastUsed(db: Db, used: ReadonlyMap<string, number>): Promise<void> {
  const ids = [...used.keys()];
  const times = [...used.values()].map((at) => new Date(at).toISOString());
  for (const table of ['credentials', 'group_credentials', 'user_credentials']) {
    await sql`
      update ${sql.table(`mcp_proxy.${table}`)} t set last_used_at = greatest(t.last_used_at, u.at)
      from unnest(${ids}::uuid[], ${times}::timestamptz[]) as u (id, at)
      where t.id = u.id`.execute(db);
  }
}
