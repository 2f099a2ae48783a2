// What a connection stands in and what it sees, for the tests of row-level security.
import { sql } from 'kysely';
import type { Db } from '../src/platform/db/index.ts';

export async function rowsOf<Row>(db: Db, query: ReturnType<typeof sql<Row>>): Promise<Row[]> {
  return (await query.execute(db)).rows;
}

/** Ids of the tenants that there are for it. */
export async function seen(db: Db): Promise<string[]> {
  const rows = await rowsOf(db, sql<{ id: string }>`select id from mcp_proxy.tenants order by id`);
  return rows.map(({ id }) => id);
}

export async function standing(db: Db): Promise<{ role: string; scope: string } | undefined> {
  const query = sql<{ role: string; scope: string }>`
    select current_user::text as role, current_setting('toolgate.scope', true) as scope`;
  return (await rowsOf(db, query))[0];
}
