import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { AccountPlace } from './accounts.ts';

/** An authorization request under way. */
export interface AttemptRow extends AccountPlace {
  readonly id: string;
  readonly sealed: string;
}

/** Stores one; of one person only the newest `most` stay. */
export async function putAttempt(db: Db, a: AttemptRow & { seconds: number; most: number }): Promise<void> {
  await sql`
    insert into mcp_proxy.oauth_attempts (id, tenant_id, user_email, server_id, sealed, expires_at)
    values (${a.id}, ${a.tenant}, ${a.user}, ${a.server}, ${a.sealed}, now() + make_interval(secs => ${a.seconds}))`.execute(
    db,
  );
  await sql`
    delete from mcp_proxy.oauth_attempts where id in (
      select id from mcp_proxy.oauth_attempts where user_email = ${a.user}
      order by created_at desc, id offset ${a.most})`.execute(db);
}

/** Takes it: whoever asks second gets null, and so does everybody once it is over. Operator's scope. */
export async function takeAttempt(db: Db, id: string): Promise<AttemptRow | null> {
  const { rows } = await sql<AttemptRow & { isOver: boolean }>`
    delete from mcp_proxy.oauth_attempts where id = ${id}
    returning id, tenant_id as tenant, user_email as "user", server_id as server, sealed, expires_at < now() as "isOver"`.execute(
    db,
  );
  const [found] = rows;
  if (!found || found.isOver) return null;
  const { isOver: _isOver, ...row } = found;
  return row;
}

/** Removes what nobody came back for. Operator's scope. */
export async function sweepAttempts(db: Db): Promise<void> {
  await sql`delete from mcp_proxy.oauth_attempts where expires_at < now()`.execute(db);
}
