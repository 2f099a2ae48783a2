import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import { clean } from '../clean.ts';
import type { AuditRecord } from './own-part.ts';
import type { places } from './places.ts';

type Place = (typeof places)[number];

/** What a row that is about something else says of the person: that they wrote it, and when. */
const ofAuthor = ['id', 'tenant_id', 'server_id', 'created_at', 'updated_at', 'decided_at'];

/** Rows of a table that name the person, without what is secret, and without what is others'. */
export async function rowsOf(db: Db, place: Place, email: string): Promise<object[]> {
  const { table, column, is, secret = [] } = place;
  const shown = is === 'name' ? [...ofAuthor, column] : null;
  const { rows } = await sql<{ row: object }>`
    select (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(t) - ${secret}::text[])
      where ${shown}::text[] is null or key = any(${shown}::text[])) as row
    from ${sql.id('mcp_proxy', table)} t
    where lower(${sql.id(column)}) = ${clean(email)} ${ofPeople(table)} order by 1::text`.execute(db);
  return rows.map(({ row }) => row);
}

/** Records of changes after that one that name the person, and those that the person made: all of each. */
export async function auditOf(
  db: Db,
  email: string,
  after: string,
  limit: number,
): Promise<{ id: string; row: AuditRecord }[]> {
  const { rows } = await sql<{ id: string; row: AuditRecord }>`
    select id::text as id, to_jsonb(a) as row from mcp_proxy.audit_log a
    where id > ${after}::bigint and ${inAudit(email)} order by id limit ${limit}`.execute(db);
  return rows;
}

/** Does a record name the person, by the whole address? Exactly those are what an erasure changes. */
function inAudit(email: string) {
  const has = (column: string) => {
    const value = sql.ref(column);
    return sql`(strpos(lower(${value}::text), ${clean(email)}) > 0
      and mcp_proxy.without_person(${value}, ${clean(email)}, '') is distinct from ${value})`;
  };
  return sql`(${has('actor')} or ${has('target_id')} or ${has('before')} or ${has('after')})`;
}

/** Deletes or renames; returns how many rows. For the owner of the tables. */
export async function eraseAt(owner: Db, { table, column, is }: Place, who: Person): Promise<number> {
  if (is === 'ending') return 0;
  const at = sql.id('mcp_proxy', table);
  const names = sql`lower(${sql.id(column)}) = ${clean(who.email)} ${ofPeople(table)}`;
  if (is === 'account') return (await sql`select from ${at} where ${names}`.execute(owner)).rows.length;
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

/** What an erasure took out of the records of changes, for the record of it: docs/audit.md. */
export interface ErasedAudit {
  /** The number that its record has to have. */
  readonly erasure: string;
  /** Records that say something of the person no more. */
  readonly erased: number;
  readonly left: { readonly parts: number; readonly list: string };
}

/** Whoever calls it writes the record, in the same transaction. For the owner of the tables. */
export async function eraseAudit(owner: Db, { email, pseudonym }: Person): Promise<ErasedAudit> {
  const { rows } = await sql<ErasedAudit>`
    select erasure::text as erasure, erased::int as erased, json_build_object('parts', parts, 'list', list) as left
    from mcp_proxy.erase_from_audit(${clean(email)}, ${pseudonym})`.execute(owner);
  const [found] = rows;
  if (found === undefined) throw new Error('erase_from_audit answered nothing');
  return found;
}

/** Does a record of a change name the person? */
export async function isInAudit(db: Db, email: string): Promise<boolean> {
  const { rows } = await sql`select 1 from mcp_proxy.audit_log where ${inAudit(email)} limit 1`.execute(db);
  return rows.length > 0;
}

/** Are tokens of accounts of this person still to be taken back? */
export async function hasEndings(db: Db, email: string): Promise<boolean> {
  const { rows } = await sql`
    select from mcp_proxy.account_endings where lower(user_email) = ${clean(email)} limit 1`.execute(db);
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
