import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { asOwner, testDatabase, testDatabaseUrl } from '../../../test/database.ts';
import { createLog } from '../log.ts';
import { type Database, openDatabase } from './index.ts';
import { defaultTimeouts, openPostgres } from './postgres.ts';

const log = createLog('silent');
const open = (url: string) => openDatabase({ url, dataDir: '', log });

/** Ends every connection of this database but the one that says so. */
const cutConnections = (db: Database['db']) =>
  sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(db);

test.each([
  [
    'nothing listens',
    'postgres://app:s3cret@127.0.0.1:1/app',
    /127\.0\.0\.1:1\/app cannot be used: nothing listens/,
  ],
  [
    'the host does not exist',
    'postgres://app:s3cret@no.such.host.invalid/app',
    /no\.such\.host\.invalid\/app cannot be used/,
  ],
  ['the URL is not one of PostgreSQL', 'mysql://app:s3cret@db/app', /must look like postgres:/],
  ['the URL cannot be parsed', 'postgres://app:s3cret@db:x/app', /cannot be used/],
])('when %s, opening says so without the password', async (_, url, message) => {
  const error: unknown = await open(url).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'database_unreachable', message: expect.stringMatching(message) });
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('s3cret');
});

test('a database that does not exist is named', async () => {
  const url = new URL(await testDatabaseUrl());
  url.pathname = '/nowhere';
  await expect(open(url.href)).rejects.toMatchObject({
    message: expect.stringContaining('that database does not exist'),
  });
});

test('a connection that dies inside a transaction fails that transaction and nothing else', async () => {
  const url = await testDatabaseUrl();
  const [database, other] = [await open(url), await open(url)];
  onTestFinished(() => Promise.all([database.close(), other.close()]).then(() => undefined));
  const work = database.db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
    await cutConnections(other.db);
    await sql`select 1`.execute(trx);
    return rows;
  });
  await expect(work).rejects.toThrow();
  await cutConnections(other.db); // Idle ones now.
  await expect
    .poll(() =>
      sql`select 1`.execute(database.db).then(
        () => 'answers',
        () => 'fails',
      ),
    )
    .toBe('answers');
});

test('after the connection was cut, it listens again and asks to catch up', async () => {
  const url = await testDatabaseUrl();
  const [database, other] = [await open(url), await open(url)];
  onTestFinished(() => Promise.all([database.close(), other.close()]).then(() => undefined));
  const resynced = Promise.withResolvers<void>();
  const notified = Promise.withResolvers<string>();
  await database.listen('news', { onNotify: notified.resolve, onResync: resynced.resolve });
  await cutConnections(other.db);
  await resynced.promise;
  await sql`notify news, 'back'`.execute(other.db);
  expect(await notified.promise).toBe('back');
});

test('a server that falls silent fails the query instead of hanging it, and is asked over a new connection', async () => {
  const target = new URL(await testDatabaseUrl());
  const proxy = await silentProxy(Number(target.port));
  target.port = String(proxy.port);
  const database = await openPostgres(target.href, log, {
    ...defaultTimeouts,
    connect: 500,
    statement: 30_000,
    silence: 300,
  });
  onTestFinished(() => database.close());
  await sql`select 1`.execute(database.db);
  proxy.silence();
  await expect(database.ping(50)).rejects.toThrow('did not answer within 50 ms');
  await expect(sql`select 1`.execute(database.db)).rejects.toThrow();
  proxy.resume();
  await expect
    .poll(() =>
      sql`select 1`.execute(database.db).then(
        () => 'answers',
        () => 'fails',
      ),
    )
    .toBe('answers');
});

test('closing does not wait for a server that fell silent', async () => {
  const target = new URL(await testDatabaseUrl());
  const proxy = await silentProxy(Number(target.port));
  target.port = String(proxy.port);
  const database = await openPostgres(target.href, log, { ...defaultTimeouts, close: 50 });
  await database.listen('news', { onNotify: () => {}, onResync: () => {} });
  proxy.silence();
  await database.close();
});

test('whoever stops listening does not wait for a server that fell silent, and others hear again once it is back', async () => {
  const target = new URL(await testDatabaseUrl());
  const other = await open(target.href);
  const proxy = await silentProxy(Number(target.port));
  target.port = String(proxy.port);
  const database = await openPostgres(target.href, log, { ...defaultTimeouts, connect: 500, close: 50 });
  onTestFinished(() => Promise.all([database.close(), other.close()]).then(() => undefined));
  const heard = Promise.withResolvers<string>();
  const resynced = Promise.withResolvers<void>();
  await database.listen('news', { onNotify: heard.resolve, onResync: resynced.resolve });
  const stop = await database.listen('more', { onNotify: () => {}, onResync: () => {} });
  proxy.silence();
  await stop();
  proxy.resume();
  await resynced.promise;
  await sql`notify news, 'back'`.execute(other.db);
  expect(await heard.promise).toBe('back');
});

test('closing while it waits to reconnect ends at once', async () => {
  const target = new URL(await testDatabaseUrl());
  const proxy = await silentProxy(Number(target.port));
  target.port = String(proxy.port);
  const database = await open(target.href);
  await database.listen('news', { onNotify: () => {}, onResync: () => {} });
  proxy.close();
  await expect
    .poll(() =>
      database.ping(1_000).then(
        () => 'answers',
        () => 'fails',
      ),
    )
    .toBe('fails');
  await database.close();
});

test('a statement that takes too long is ended by the server, but not where no limit is set', async () => {
  const database = await openPostgres(await testDatabaseUrl(), log, { ...defaultTimeouts, statement: 50 });
  onTestFinished(() => database.close());
  await expect(sql`select pg_sleep(5)`.execute(database.db)).rejects.toMatchObject({ code: '57014' });
  await database.withoutTimeLimit((db) => sql`select pg_sleep(0.1)`.execute(db));
});

test('each test database is its own', async () => {
  const [one, two] = await Promise.all([testDatabase(), testDatabase()]);
  await asOwner(one.db, (db) => sql`create table mine (a int)`.execute(db));
  await expect(sql`select * from mine`.execute(two.db)).rejects.toMatchObject({ code: '42P01' });
});

async function silentProxy(targetPort: number) {
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('data', (chunk) => silent || upstream.write(chunk)).on('close', () => upstream.destroy());
    upstream.on('data', (chunk) => silent || client.write(chunk)).on('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(close);
  return {
    // A listening TCP server has an address of this form.
    port: (server.address() as AddressInfo).port,
    silence: () => {
      silent = true;
    },
    resume: () => {
      silent = false;
    },
    close,
  };
}
