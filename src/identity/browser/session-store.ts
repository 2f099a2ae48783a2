import { sql } from 'kysely';
import { writeAudit } from '../../audit/index.ts';
import type { Db } from '../../platform/db/index.ts';

/** A stored session whose end, and whose token's end, is still to come. */
export interface SessionRow {
  readonly id: string;
  readonly user: string;
  readonly how: string;
  readonly tokenTenant: string | null;
  readonly statedGroups: readonly string[] | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface NewSession {
  readonly id: string;
  readonly user: string;
  readonly how: string;
  readonly tokenId: string | null;
  readonly tokenTenant: string | null;
  readonly statedGroups: readonly string[] | null;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** One browser as its owner sees it in a list. */
export interface SessionView {
  readonly id: string;
  readonly how: string;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
}

/** Sessions that one person may have at a time; of more the oldest end. */
const mostPerUser = 50;

/** Writes the session of a person who is stored already, and clears away what is over. */
export function insertSession(db: Db, session: NewSession): Promise<void> {
  const { user, how } = session;
  return db.transaction().execute(async (trx) => {
    await deleteOld(trx, session);
    await sql`
      insert into mcp_proxy.browser_sessions
        (id, user_email, how, token_id, token_tenant, stated_groups, user_agent, created_at, last_seen_at, expires_at)
      values (${session.id}, ${user}, ${how}, ${session.tokenId}::uuid, ${session.tokenTenant},
        ${session.statedGroups}::text[], ${session.userAgent}, ${session.createdAt}, ${session.createdAt},
        ${session.expiresAt})`.execute(trx);
    await writeAudit(trx, {
      actor: user,
      action: 'session.begin',
      targetKind: 'user',
      targetId: user,
      after: { how, userAgent: session.userAgent },
    });
  });
}

async function deleteOld(trx: Db, { user, createdAt }: NewSession): Promise<void> {
  await sql`
    delete from mcp_proxy.browser_sessions
    where expires_at < ${createdAt} or id in (
      select id from mcp_proxy.browser_sessions where user_email = ${user}
      order by created_at desc, id offset ${mostPerUser - 1})`.execute(trx);
}

/** The session; undefined when it is over, or the token that it was begun with is. Notes that it was seen. */
export async function seeSession(db: Db, id: string, now: Date): Promise<SessionRow | undefined> {
  const { rows } = await sql<SessionRow>`
    update mcp_proxy.browser_sessions s set last_seen_at = greatest(s.last_seen_at, ${now}::timestamptz)
    where s.id = ${id} and s.expires_at > ${now} and not exists (
      select from mcp_proxy.api_tokens t
      where t.id = s.token_id and (t.revoked_at is not null or t.expires_at <= ${now}))
    returning s.id, s.user_email as "user", s.how, s.token_tenant as "tokenTenant",
      s.stated_groups as "statedGroups", s.created_at as "createdAt", s.expires_at as "expiresAt"`.execute(
    db,
  );
  return rows[0];
}

/** Newest first. */
export async function sessionsOf(db: Db, user: string, now: Date): Promise<SessionView[]> {
  const { rows } = await sql<SessionView>`
    select id, how, user_agent as "userAgent", created_at as "createdAt", last_seen_at as "lastSeenAt"
    from mcp_proxy.browser_sessions
    where user_email = ${user} and expires_at > ${now}
    order by created_at desc, id`.execute(db);
  return rows;
}

/** Ends one session of a person, or all of them; returns the ids of those that ended. */
export function deleteSessions(
  db: Db,
  o: { readonly user: string; readonly only?: string | undefined; readonly actor: string },
): Promise<string[]> {
  const { user, only = null, actor } = o;
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ id: string }>`
      delete from mcp_proxy.browser_sessions
      where user_email = ${user} and (${only}::text is null or id = ${only}) returning id`.execute(trx);
    if (rows.length > 0)
      await writeAudit(trx, {
        actor,
        action: 'session.end',
        targetKind: 'user',
        targetId: user,
        after: { sessions: rows.length },
      });
    return rows.map(({ id }) => id);
  });
}
