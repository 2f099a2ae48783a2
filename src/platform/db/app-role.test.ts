import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { emptyDatabaseUrl } from '../../../test/database.ts';
import { onServer } from '../../../test/postgres.ts';
import { rowsOf, seen, standing } from '../../../test/wall-sights.ts';
import { createLog } from '../log.ts';
import { type Database, migrate, openDatabase } from './index.ts';

const log = createLog('silent');
const migrations = new URL('../../../migrations/', import.meta.url);

test('before the walls are raised, statements run as whoever signed in', async () => {
  const url = await emptyDatabaseUrl();
  const database = await openDatabase({ url, dataDir: '', log });
  onTestFinished(() => database.close());
  expect(database.walls.missing()).not.toBeNull();
  await database.walls.raise();
  expect(database.walls.missing()).toMatch('does not exist');
  expect(await standing(database.db)).toMatchObject({ role: new URL(url).username });
  await migrate(database, migrations);
  await database.walls.raise();
  expect(await standing(database.db)).toEqual({ role: 'toolgate_app', scope: '*' });
});

describe('signed in as somebody who is no superuser', () => {
  test('who may not make roles migrates all the same, is told, and is held once the role was given', async () => {
    const { login, url } = await ownDatabase('');
    const app = await freshRole(url, '');
    const database = await openMigrated(url);
    expect(database.walls.missing()).toMatch(/permission denied/);
    expect(await standing(database.db)).toMatchObject({ role: login });
    await onServer(inject('postgres').url, `create role ${app} nologin`);
    await onServer(inject('postgres').url, `grant ${app} to ${login}`);
    await database.walls.raise();
    expect(database.walls.missing()).toBeNull();
    expect(await standing(database.db)).toMatchObject({ role: app });
    expect(await seen(database.forTenant('acme'))).toEqual([]);
  });

  test('who may make roles gets the walls without anybody’s help', async () => {
    const { url } = await ownDatabase('createrole');
    const app = await freshRole(url, '');
    const database = await openMigrated(url);
    expect(database.walls.missing()).toBeNull();
    expect(await standing(database.db)).toMatchObject({ role: app });
  });

  test('a role that is taken away while it serves fails statements, and never lets them pass as the owner', async () => {
    const { login, url } = await ownDatabase('');
    const app = await freshRole(url, `create role $ nologin`);
    await onServer(inject('postgres').url, `grant ${app} to ${login}`);
    const database = await openMigrated(url);
    expect(await seen(database.db)).toEqual([]);
    await onServer(inject('postgres').url, `revoke ${app} from ${login}`);
    await expect(seen(database.forTenant('acme'))).rejects.toMatchObject({ code: '42501' });
  });

  test.each([
    ['may pass row-level security', 'create role $ nologin bypassrls'],
    ['is a superuser', 'create role $ nologin superuser'],
  ])('a role that %s is not taken', async (_, create) => {
    const { login, url } = await ownDatabase('');
    const app = await freshRole(url, create);
    await onServer(inject('postgres').url, `grant ${app} to ${login}`);
    const database = await openMigrated(url);
    expect(database.walls.missing()).toMatch('may pass row-level security');
    expect(await standing(database.db)).toMatchObject({ role: login });
  });

  test('a role that has the rights of the owner is not taken', async () => {
    const { login, url } = await ownDatabase('');
    const app = await freshRole(url, 'create role $ nologin');
    await onServer(inject('postgres').url, `grant ${login} to ${app}`);
    await onServer(inject('postgres').url, `alter role ${login} superuser`);
    const database = await openMigrated(url);
    expect(database.walls.missing()).toMatch('owns tables');
  });
});

test('on PostgreSQL 18, where making a role does not make a member of it, the walls are raised too', {
  timeout: 120_000,
}, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'toolgate-test-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const database = await openDatabase({ dataDir: dir, log });
  onTestFinished(() => database.close());
  await database.withoutTimeLimit(async (db) => {
    await sql`create role maker login createrole`.execute(db);
    await sql`grant create on database ${sql.id((await rowsOf(db, sql<{ name: string }>`select current_database() as name`))[0]?.name ?? '')} to maker`.execute(
      db,
    );
    await sql`set session authorization maker`.execute(db);
  });
  await migrate(database, migrations);
  await database.walls.raise();
  expect(database.walls.missing()).toBeNull();
  expect(await standing(database.forTenant('acme'))).toEqual({ role: 'toolgate_app', scope: 'acme' });
});

/** A database whose owner signs in, with these attributes of a role. */
async function ownDatabase(attributes: string): Promise<{ login: string; url: URL }> {
  const url = new URL(await emptyDatabaseUrl());
  const login = `t_${randomBytes(6).toString('hex')}`;
  const { url: server } = inject('postgres');
  await onServer(server, `create role ${login} login password 'p' ${attributes}`);
  await onServer(server, `alter database ${url.pathname.slice(1)} owner to ${login}`);
  url.username = login;
  url.password = 'p';
  onTestFinished(() => dropRole(url, login));
  return { login, url };
}

/** The name of a role for this database alone, and the role if a statement makes it. */
async function freshRole(url: URL, create: string): Promise<string> {
  const role = `t_${randomBytes(6).toString('hex')}`;
  const { url: server } = inject('postgres');
  await onServer(server, `alter database ${url.pathname.slice(1)} set toolgate.role = '${role}'`);
  if (create) await onServer(server, create.replace('$', role));
  onTestFinished(() => dropRole(url, role));
  return role;
}

async function openMigrated(url: URL): Promise<Database> {
  const database = await openDatabase({ url: url.href, dataDir: '', log });
  onTestFinished(() => database.close());
  await migrate(database, migrations);
  await database.walls.raise();
  return database;
}

/** With all that depends on it, so that nothing of a test is left on a server that is not its own. */
async function dropRole(url: URL, role: string): Promise<void> {
  const { url: server } = inject('postgres');
  await onServer(server, `drop database if exists ${url.pathname.slice(1)} with (force)`);
  await onServer(server, `drop role if exists ${role}`);
}
