// A table of everything that is sealed, and the statements that a rotation makes on all of it. The operator's scope.
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { Binding, Level } from '../binding.ts';

export interface SealedTable {
  readonly name: string;
  readonly id: { readonly column: string; readonly type: 'uuid' | 'text' };
  readonly level: Level | 'tenant or shared';
  readonly owner: RawBuilder<string | null>;
  readonly tenant: RawBuilder<string | null>;
  readonly server: RawBuilder<string>;
  /** What it is called among the secrets of its server; for credentials the very name that it is bound to. */
  readonly label: RawBuilder<string>;
}

const uuid = { column: 'id', type: 'uuid' } as const;
const ofTenant = {
  level: 'tenant or shared',
  owner: sql<string | null>`tenant_id`,
  tenant: sql<string | null>`tenant_id`,
  server: sql<string>`server_id`,
} as const;
const ofUser = { ...ofTenant, level: 'user', owner: sql<string | null>`user_email` } as const;

/** A test compares it with the database: a table with a column `sealed` that is not here would be lost. */
export const sealedTables: readonly SealedTable[] = [
  { name: 'credentials', id: uuid, ...ofTenant, label: sql`name` },
  {
    ...{ name: 'group_credentials', id: uuid, ...ofTenant, label: sql`name` },
    ...{ level: 'group', owner: sql`group_name` },
  },
  { name: 'user_credentials', id: uuid, ...ofUser, label: sql`name` },
  { name: 'oauth_clients', id: uuid, ...ofTenant, label: sql`'client at ' || issuer` },
  { name: 'user_accounts', id: uuid, ...ofUser, label: sql`'account at ' || issuer` },
  {
    ...{ name: 'oauth_attempts', id: { column: 'id', type: 'text' }, ...ofUser },
    label: sql`'sign-in under way'`,
  },
  { name: 'account_endings', id: uuid, ...ofUser, label: sql`'ended account at ' || issuer` },
  {
    ...{ name: 'installation_secrets', id: { column: 'name', type: 'text' }, ...ofTenant, label: sql`name` },
    ...{ level: 'shared', owner: sql`null`, tenant: sql`null`, server: sql`''` },
  },
];

export interface SealedText extends Binding {
  readonly table: string;
  readonly id: string;
  readonly sealed: string;
}

interface Row {
  readonly table: string;
  readonly id: string;
  readonly sealed: string;
  readonly tenant: string | null;
  readonly level: Level;
  readonly owner: string | null;
  readonly server: string;
  readonly name: string;
}

/** How many texts there are in each form under each key; the key is null for what is not in a sealed form. */
export interface Count {
  readonly table: string;
  readonly form: 'v1' | 'v2' | null;
  readonly keyId: string | null;
  readonly count: number;
}

export async function countSealed(db: Db): Promise<Count[]> {
  const each = sealedTables.map(
    ({ name }) => sql`
      select ${name}::text as "table", substring(sealed from ${form}) as start from ${table(name)}
      where sealed is not null`,
  );
  const { rows } = await sql<{ table: string; start: string | null; count: number }>`
    select "table", start, count(*)::int as count from (${sql.join(each, sql` union all `)}) as one
    group by 1, 2`.execute(db);
  return rows.map(({ start, ...row }) => {
    const [kind, keyId = null] = start?.split('.') ?? [];
    return { ...row, form: kind === 'v1' || kind === 'v2' ? kind : null, keyId };
  });
}

/** Some of the texts that need none of these keys: whose they are. */
export async function textsWithout(db: Db, keyIds: readonly string[], limit: number): Promise<SealedText[]> {
  const each = sealedTables.map(
    (one) => sql`(${selected(one)} where sealed is not null
      and (${keyId} = any(${[...keyIds]}::text[])) is not true limit ${limit})`,
  );
  return read(db, sql`${sql.join(each, sql` union all `)} limit ${limit}`);
}

/** Some of the texts of one key that are not yet sealed as the rotation to `current` wants them. */
export async function textsLeft(db: Db, o: Left & { readonly limit: number }): Promise<SealedText[]> {
  const each = sealedTables.map((one) => sql`(${selected(one)} where ${isLeft(o)} limit ${o.limit})`);
  return read(db, sql`${sql.join(each, sql` union all `)} limit ${o.limit}`);
}

export interface Left {
  /** The key that everything is to be sealed under. */
  readonly current: string;
  /** The keys that can be opened with. */
  readonly held: readonly string[];
}

/** The next texts of a table that are left, in the order of their ids; locked, but for those that somebody else has. */
export async function lockLeft(
  trx: Db,
  one: SealedTable,
  o: Left & { readonly after: string | null; readonly limit: number },
): Promise<SealedText[]> {
  const id = sql.ref(one.id.column);
  const after = o.after === null ? sql`true` : sql`${id} > ${o.after}::${sql.raw(one.id.type)}`;
  return read(
    trx,
    sql`${selected(one)} where ${isLeft(o)} and ${after} order by ${id} limit ${o.limit}
      for no key update skip locked`,
  );
}

/** Other sealed forms of the same secrets; who set them, and when, stays as it is. */
export async function replaceSealed(
  trx: Db,
  { name, id }: SealedTable,
  texts: readonly { readonly id: string; readonly sealed: string }[],
): Promise<void> {
  await sql`
    update ${table(name)} as t set sealed = u.sealed
    from unnest(${texts.map((one) => one.id)}::${sql.raw(id.type)}[], ${texts.map((one) => one.sealed)}::text[])
      as u (id, sealed)
    where t.${sql.ref(id.column)} = u.id`.execute(trx);
}

/** Deletes what only this key opens, and returns whose it was, up to `limit` of each table, and how many there were. */
export async function deleteSealedUnder(
  trx: Db,
  key: string,
  limit: number,
): Promise<{ deleted: number; texts: SealedText[] }> {
  let deleted = 0;
  const texts: SealedText[] = [];
  for (const one of sealedTables) {
    texts.push(...(await read(trx, sql`${selected(one)} where ${keyId} = ${key} limit ${limit}`)));
    const { rows } = await sql`delete from ${table(one.name)} where ${keyId} = ${key} returning 1`.execute(
      trx,
    );
    deleted += rows.length;
  }
  return { deleted, texts: texts.slice(0, limit) };
}

const form = '^(v[12]\\.[0-9a-f]{8})\\.';
const keyId = sql`substring(sealed from '^v[12]\\.([0-9a-f]{8})\\.')`;

function table(name: string): RawBuilder<unknown> {
  return sql.table(`mcp_proxy.${name}`);
}

function isLeft({ current, held }: Left): RawBuilder<unknown> {
  return sql`${keyId} = any(${[...held]}::text[]) and sealed not like ${`v2.${current}.%`}`;
}

function selected({ name, id, level, owner, tenant, server, label }: SealedTable): RawBuilder<Row> {
  const ofWhom =
    level === 'tenant or shared'
      ? sql`case when tenant_id is null then 'shared' else 'tenant' end`
      : sql`${level}::text`;
  return sql<Row>`
    select ${name}::text as "table", ${sql.ref(id.column)}::text as id, sealed, ${tenant} as tenant,
      ${ofWhom} as level, ${owner} as owner, ${server} as server, ${label} as name
    from ${table(name)}`;
}

async function read(db: Db, statement: RawBuilder<unknown>): Promise<SealedText[]> {
  const { rows } = await sql<Row>`${statement}`.execute(db);
  return rows.map(({ level, owner, ...row }) => ({ ...row, owner: { level, id: owner } }));
}
