import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';

export async function loadInstallationSecret(db: Db, name: string): Promise<string | null> {
  const { rows } = await sql<{ sealed: string }>`
    select sealed from mcp_proxy.installation_secrets where name = ${name}`.execute(db);
  return rows[0]?.sealed ?? null;
}

/** Stores it unless there is one, and answers what is there then. */
export async function addInstallationSecret(db: Db, name: string, sealed: string): Promise<string> {
  await sql`
    insert into mcp_proxy.installation_secrets (name, sealed) values (${name}, ${sealed})
    on conflict (name) do nothing`.execute(db);
  return (await loadInstallationSecret(db, name)) ?? sealed;
}
