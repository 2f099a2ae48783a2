import { sql } from 'kysely';
import { writeAudit } from '../audit/index.ts';
import type { Db } from '../platform/db/index.ts';

/** A provider's name for a person, for good. */
export interface LinkedIdentity {
  readonly issuer: string;
  readonly subject: string;
}

/** Somebody who proved who they are. */
export interface Sighting {
  /** Lower-case e-mail, or `service:<id>`. */
  readonly id: string;
  /** `oidc:<issuer name>` or `connection-key`. */
  readonly source: string;
  readonly displayName: string;
  readonly identity: LinkedIdentity | null;
  /** Their groups here; null when the credential does not say. */
  readonly groups: readonly string[] | null;
  /** Of the token, seconds since the epoch. */
  readonly issuedAt: number;
}

const membershipMs = 60 * 60_000;
const renewBelowMs = 30 * 60_000;
const seenEveryMs = 5 * 60_000;

/**
 * Writes what a sighting tells, and nothing when it is known: each statement on these tables makes every replica
 * load its snapshot anew. `conflict`: the address is linked to another subject; `moved`: the subject is linked to
 * another address. Both write nothing.
 */
export function saveSighting(
  db: Db,
  sighting: Sighting,
  now: number,
): Promise<'saved' | 'conflict' | 'moved'> {
  return db.transaction().execute(async (trx) => {
    const link = sighting.identity === null ? 'linked' : await linkState(trx, sighting.identity, sighting.id);
    if (link === 'conflict' || link === 'moved') return link;
    await saveUser(trx, sighting, now);
    if (sighting.identity !== null && link === 'free') await saveLink(trx, sighting.identity, sighting.id);
    if (sighting.groups !== null) await saveGroups(trx, sighting, sighting.groups, now);
    return 'saved';
  });
}

/** An administrator reads here why somebody with the right address cannot come in. */
export function saveConflict(db: Db, { issuer, subject }: LinkedIdentity, email: string): Promise<void> {
  return writeAudit(db, {
    actor: email,
    action: 'user.identity_conflict',
    targetKind: 'user',
    targetId: email,
    after: { issuer, subject },
  });
}

async function linkState(trx: Db, { issuer, subject }: LinkedIdentity, email: string) {
  const { rows } = await sql<{ subject: string; user_email: string }>`
    select subject, user_email from mcp_proxy.user_identities
    where issuer = ${issuer} and (subject = ${subject} or user_email = ${email})`.execute(trx);
  if (rows.some((row) => row.subject === subject))
    return rows.some((row) => row.user_email === email) ? 'linked' : 'moved';
  return rows.length > 0 ? 'conflict' : 'free';
}

async function saveUser(trx: Db, { id, source, displayName }: Sighting, now: number): Promise<void> {
  const at = new Date(now);
  const { rows } = await sql<{ last_seen_at: Date | null }>`
    select last_seen_at from mcp_proxy.users where email = ${id} for update`.execute(trx);
  const [known] = rows;
  if (known === undefined) {
    const added = await sql`
      insert into mcp_proxy.users (email, display_name, source, last_seen_at)
      values (${id}, ${printable(displayName)}, ${source}, ${at})
      on conflict (email) do nothing returning email`.execute(trx);
    // Somebody else saw the same person in this moment.
    if (added.rows.length === 0) return;
    await writeAudit(trx, {
      actor: source,
      action: 'user.provision',
      targetKind: 'user',
      targetId: id,
      after: { source },
    });
    return;
  }
  if (known.last_seen_at !== null && now - known.last_seen_at.getTime() < seenEveryMs) return;
  await sql`update mcp_proxy.users set last_seen_at = ${at} where email = ${id}`.execute(trx);
}

function printable(name: string): string {
  return name.replace(/\p{C}/gu, '').slice(0, 200);
}

async function saveLink(trx: Db, { issuer, subject }: LinkedIdentity, email: string): Promise<void> {
  await sql`
    insert into mcp_proxy.user_identities (issuer, subject, user_email) values (${issuer}, ${subject}, ${email})`.execute(
    trx,
  );
}

/** What the token says replaces what earlier tokens of this source said; it counts for an hour. */
async function saveGroups(
  trx: Db,
  { id, source }: Sighting,
  groups: readonly string[],
  now: number,
): Promise<void> {
  const { rows } = await sql<{ group_name: string; expires_at: Date | null }>`
    select group_name, expires_at from mcp_proxy.memberships where user_email = ${id} and source = ${source}`.execute(
    trx,
  );
  const stored = new Set(rows.map((row) => row.group_name));
  const gone = [...stored].filter((name) => !groups.includes(name));
  const added = groups.filter((name) => !stored.has(name));
  const expires = new Date(now + membershipMs);
  if (gone.length > 0) {
    await sql`
      delete from mcp_proxy.memberships
      where user_email = ${id} and source = ${source} and group_name = any(${gone}::text[])`.execute(trx);
  }
  if (added.length > 0) {
    // Through the table of groups: one that was removed a moment ago must not fail the rest.
    await sql`
      insert into mcp_proxy.memberships (user_email, group_name, source, expires_at)
      select ${id}, name, ${source}, ${expires} from mcp_proxy.groups where name = any(${added}::text[])`.execute(
      trx,
    );
  }
  const ages = rows.some((row) => row.expires_at !== null && row.expires_at.getTime() - now < renewBelowMs);
  if (ages) {
    await sql`
      update mcp_proxy.memberships set expires_at = ${expires} where user_email = ${id} and source = ${source}`.execute(
      trx,
    );
  }
}
