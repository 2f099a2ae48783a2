// Whose address is whose: in erasures and in exports, whatever the locale of the database.
import { sql } from 'kysely';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { randomBytes } from 'node:crypto';
import { change } from '../../../test/audit-world.ts';
import { testDatabase } from '../../../test/database.ts';
import { databaseUrl, onServer } from '../../../test/postgres.ts';
import { type Database, type Db, migrate, openDatabase } from '../../platform/db/index.ts';
import { createLog } from '../../platform/log.ts';
import { verifyChain } from '../chain/verify.ts';
import { api } from '../contract.ts';
import { writeAudit } from '../store.ts';
import { personalRoutes } from './routes.ts';

const migrations = new URL('../../../migrations/', import.meta.url);

/** With letters as Unicode has them: those of the other test databases are ASCII's. */
async function inUnicode(): Promise<Database> {
  const { url } = inject('postgres');
  const name = `t_${randomBytes(8).toString('hex')}`;
  const locale = "locale_provider icu icu_locale 'und' lc_collate 'C' lc_ctype 'C'";
  await onServer(url, `create database ${name} template template0 encoding 'UTF8' ${locale}`);
  const database = await openDatabase({
    ...{ url: databaseUrl(url, name), dataDir: '', log: createLog('silent') },
  });
  onTestFinished(async () => {
    await database.close();
    await onServer(url, `drop database if exists ${name} with (force)`);
  });
  await migrate(database, migrations);
  return database;
}

async function call(
  database: Database,
  endpoint: typeof api.erasePerson | typeof api.personalData,
  email: string,
): Promise<{ tables: { audit_log: { action: string }[] } }> {
  const routes = personalRoutes({ database, namedInFile: () => false });
  const actor = { id: 'root@acme.com', requestId: 'r-9', clientIp: '192.0.2.9' };
  const route = routes.find((one) => one.endpoint === endpoint);
  const answer = await route?.handle({ params: { email }, query: {}, body: undefined, actor });
  return (answer instanceof Response ? await answer.json() : answer) as never;
}

async function memberships(db: Db): Promise<string[]> {
  const { rows } = await sql<{ after: { members: string[] } }>`
    select after from mcp_proxy.audit_log where after ? 'members' order by id`.execute(db);
  return rows.flatMap(({ after }) => after.members);
}

/** Texts that hold no address of the one who is erased, each with what it is made for. */
const others: readonly (readonly [erased: string, text: string])[] = [
  ['brien@acme.com', "o'brien@acme.com"],
  ['brien@acme.com', 'o’brien@acme.com'],
  ['ller@acme.com', 'müller@acme.com'],
  ['ller@acme.com', 'MÜLLER@acme.com'],
  ...[..."!#$%&'*+-/=?^_`{|}~."].map((sign) => ['ann@acme.com', `jo${sign}ann@acme.com`] as const),
  ...[..."!#$%&'*+-/=?^_`{|}~"].map((sign) => ['ann@acme.com', `${sign}ann@acme.com`] as const),
  ...['日', 'é', '🎉', '\u0301', '\u00a0'].map((sign) => ['ann@acme.com', `${sign}ann@acme.com`] as const),
  ...['x', '.uk', '-x', '.日本', 'é', '日', '\u0301', '。日本', '--x'].map(
    (rest) => ['ann@acme.com', `ann@acme.com${rest}`] as const,
  ),
  ['ann@acme.com', '"ann@acme.com"@evil.com'],
  ['ann@acme.com', 'annXacme.com'],
  ['a+b@acme.com', 'aab@acme.com'],
  ['a.b@acme.com', 'axb@acme.com'],
];

/** Texts that hold it, and what is left of them. */
const own: readonly (readonly [erased: string, text: string, left: string])[] = [
  ["o'brien@acme.com", "o'brien@acme.com", 'X'],
  ['müller@acme.com', 'müller@acme.com', 'X'],
  ['a+b.c@acme.com', 'A+B.C@ACME.com', 'X'],
  ['a/b=c{d}|e^f$g*h?i@acme.com', 'a/b=c{d}|e^f$g*h?i@acme.com', 'X'],
  ['日@例え.jp', '<日@例え.jp>', '<X>'],
  ['ann@acme.com', 'Ann <ann@acme.com>, "ann@acme.com"; mailto:ann@acme.com', 'Ann <X>, "X"; mailto:X'],
  ['ann@acme.com', 'for ann@acme.com.', 'for X.'],
  [
    'ann@acme.com',
    '(ann@acme.com), [ann@acme.com] ann@acme.com’s ann@acme.com… ann@acme.com。',
    '(X), [X] X’s X… X。',
  ],
  ['ann@acme.com', 'line\nann@acme.com\tann@acme.com\\ann@acme.com', 'line\nX\tX\\X'],
];

describe.each([
  ['C', () => testDatabase()],
  ['Unicode', inUnicode],
])('in a database with the letters of %s', (_, open) => {
  test('nobody else is touched, and nobody else is handed out', async () => {
    const database = await open();
    const { db } = database;
    const texts = others.map(([, text]) => text);
    for (const text of texts) {
      await writeAudit(
        db,
        change({ actor: text, targetId: text, after: { members: [text], [text]: 1 }, clientIp: '192.0.2.7' }),
      );
    }
    for (const email of new Set(others.map(([erased]) => erased))) {
      expect([email, (await call(database, api.personalData, email)).tables.audit_log]).toEqual([
        email,
        // That it was asked for.
        [expect.objectContaining({ action: 'user.export' })],
      ]);
      await call(database, api.erasePerson, email);
    }
    expect(await memberships(db)).toEqual(texts);
    const { rows } = await sql`
      select 1 from mcp_proxy.audit_log where after ? 'members' and (actor ~ 'erased-' or client_ip is null)`.execute(
      db,
    );
    expect(rows).toEqual([]);
    expect(await verifyChain(db)).toMatchObject({ ok: true });
  });

  test('the person is found wherever the address stands alone, also behind escapes and in names', async () => {
    const database = await open();
    const { db } = database;
    for (const [, text] of own)
      await writeAudit(db, change({ actor: 'x@acme.com', after: { members: [text] } }));
    const [first] = own[0] ?? [''];
    await writeAudit(db, change({ actor: 'x@acme.com', after: { roles: { [first]: 'owner' } } }));
    for (const email of new Set(own.map(([erased]) => erased))) {
      expect((await call(database, api.personalData, email)).tables.audit_log.length).toBeGreaterThan(1);
      await call(database, api.erasePerson, email);
    }
    const left = (await memberships(db)).map((text) => text.replaceAll(/erased-[0-9a-f]{16}/g, 'X'));
    expect(left).toEqual(own.map(([, , text]) => text));
    const { rows } = await sql<{ after: object }>`
      select after from mcp_proxy.audit_log where after ? 'roles'`.execute(db);
    expect(JSON.stringify(rows)).toMatch(/\{"erased-[0-9a-f]{16}":"owner"\}/);
    expect(await verifyChain(db)).toMatchObject({ ok: true });
  });
});

describe('the export of a person', () => {
  async function recordsOf(...entries: Parameters<typeof change>[0][]): Promise<object[]> {
    const database = await testDatabase();
    for (const entry of entries)
      await writeAudit(
        database.db,
        change({ before: undefined, clientIp: '198.51.100.7', requestId: 'r-7', ...entry }),
      );
    const { tables } = await call(database, api.personalData, 'ann@acme.com');
    return tables.audit_log.filter(({ action }) => action !== 'user.export');
  }
  const boss = 'boss@acme.com';

  test('has of a record about something else the person’s own part alone', async () => {
    const after = {
      members: ['ann@acme.com', 'carl@acme.com'],
      owner: { email: 'dora@acme.com', displayName: 'Dora' },
      note: 'ann@acme.com asked for carl@acme.com',
      roles: { 'ann@acme.com': 'owner', 'carl@acme.com': 'reader' },
    };
    const [found, ...more] = await recordsOf({ actor: boss, targetId: 'MCP-GitHub', after });
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      ...{ action: 'group.update', target_id: 'MCP-GitHub', before: null },
      after: { members: ['ann@acme.com'], note: 'ann@acme.com', roles: { 'ann@acme.com': 'owner' } },
    });
    const text = JSON.stringify(found);
    for (const word of ['boss', 'carl', 'dora', 'Dora', 'reader', '198.51', 'r-7'])
      expect(text).not.toContain(word);
  });

  test('has of a record about the person all that is said of them, and not who did it, or from where', async () => {
    const after = {
      displayName: 'Ann',
      groups: ['HR'],
      manager: 'dora@acme.com',
      told: 'ann@acme.com and dora@acme.com',
    };
    const target = { targetKind: 'user', targetId: 'Ann@acme.com' };
    const [found] = await recordsOf({ actor: boss, action: 'user.update', ...target, after });
    expect(found).toMatchObject({ target_id: 'Ann@acme.com', after: { displayName: 'Ann', groups: ['HR'] } });
    expect(JSON.stringify(found)).not.toMatch(/boss|dora|198\.51|r-7/);
  });

  test('has of what the person did to somebody else that they did it, and from where', async () => {
    const after = { displayName: 'Carl Secret', groups: ['HR-disciplinary'] };
    const target = { targetKind: 'user', targetId: 'carl@acme.com' };
    const [found] = await recordsOf({ actor: 'ann@acme.com', action: 'user.update', ...target, after });
    expect(found).toMatchObject({ actor: 'ann@acme.com', client_ip: '198.51.100.7', request_id: 'r-7' });
    expect(JSON.stringify(found)).not.toMatch(/carl|Carl|HR/);
  });

  test('has nothing of somebody with a longer address', async () => {
    const after = { email: 'joann@acme.com', displayName: 'Joann Secret', groups: ['HR-disciplinary'] };
    const target = { targetKind: 'user', targetId: 'joann@acme.com' };
    expect(await recordsOf({ actor: boss, action: 'user.update', ...target, after })).toEqual([]);
  });
});
