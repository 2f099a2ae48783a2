import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import { clean } from '../clean.ts';
import type { places } from './places.ts';

type Place = (typeof places)[number];

/** What a row that is about something else says of the person: that they wrote it, and when. */
const ofAuthor = ['id', 'tenant_id', 'server_id', 'created_at', 'updated_at', 'decided_at'];

/** Rows of a table that name the person, without what is secret, and without what is others'. */
export async function rowsOf(db: Db, place: Place, email: string): Promise<object[]> {
  const { table, column, is, secret = [] } = place;
  const shown = is === 'row' ? null : [...ofAuthor, column];
  const { rows } = await sql<{ row: object }>`
    select (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(t) - ${secret}::text[])
      where ${shown}::text[] is null or key = any(${shown}::text[])) as row
    from ${sql.id('mcp_proxy', table)} t
    where lower(${sql.id(column)}) = ${clean(email)} ${ofPeople(table)} order by 1::text`.execute(db);
  return rows.map(({ row }) => row);
}

/** Records of changes after that one that name the person, and those that the person made. */
export async function auditOf(
  db: Db,
  email: string,
  after: string,
  limit: number,
): Promise<{ id: string; row: object }[]> {
  const { rows } = await sql<{ id: string; row: object }>`
    select id::text as id, to_jsonb(a) as row from mcp_proxy.audit_log a
    where id > ${after}::bigint and (lower(actor) = ${clean(email)} or lower(target_id) = ${clean(email)}
      or strpos(lower(before::text), ${clean(email)}) > 0 or strpos(lower(after::text), ${clean(email)}) > 0)
    order by id limit ${limit}`.execute(db);
  return rows;
}

/** Deletes or renames; returns how many rows. For the owner of the tables. */
export async function eraseAt(owner: Db, { table, column, is }: Place, who: Person): Promise<number> {
  const at = sql.id('mcp_proxy', table);
  const names = sql`lower(${sql.id(column)}) = ${clean(who.email)} ${ofPeople(table)}`;
  const { numAffectedRows } = await (is === 'row'
    ? sql`delete from ${at} where ${names}`
    : sql`update ${at} set ${sql.id(column)} = ${who.pseudonym} where ${names}`
  ).execute(owner);
  return Number(numAffectedRows ?? 0);
}

export interface Person {
  readonly email: string;
  readonly pseudonym: string;
}

/** Requests stay, and nobody can tell whose they were. For the owner of the tables. */
export async function eraseCalls(owner: Db, { email, pseudonym }: Person): Promise<number> {
  const { numAffectedRows } = await sql`
    update mcp_proxy.api_analytics set user_email = ${pseudonym}, request_id = ${pseudonym}, user_agent = null,
      client_ip = null, credential_id = null, arguments = null
    where user_email = ${clean(email)}`.execute(owner);
  return Number(numAffectedRows ?? 0);
}

/** Records that say something of the person no more. For the owner of the tables. */
export async function eraseAudit(owner: Db, { email, pseudonym }: Person, record: string): Promise<number> {
  const { rows } = await sql<{ erased: number }>`
    select mcp_proxy.erase_from_audit(${clean(email)}, ${pseudonym}, ${record}::bigint)::int as erased`.execute(
    owner,
  );
  return rows[0]?.erased ?? 0;
}

/** Does a record of a change name the person? */
export async function isInAudit(db: Db, email: string): Promise<boolean> {
  const words = sql`concat_ws(' ', actor, target_id, before::text, after::text)`;
  const { rows } = await sql`
    select 1 from mcp_proxy.audit_log
    where strpos(lower(${words}), ${clean(email)}) > 0
      and mcp_proxy.without_person(${words}, ${clean(email)}, '') <> ${words} limit 1`.execute(db);
  return rows.length > 0;
}

/** Before anything is written: sign-ins lock the person first, too. */
export async function lockPerson(trx: Db, email: string): Promise<void> {
  await sql`select from mcp_proxy.users where email = ${clean(email)} for update`.execute(trx);
}

/** Other records than people's have addresses, too. */
function ofPeople(table: string) {
  return table === 'file_entries' ? sql`and record = 'user'` : sql``;
}
