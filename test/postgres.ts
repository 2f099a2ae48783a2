// Vitest global setup: one throw-away PostgreSQL for the whole run, with a migrated template database
// that `testDatabase()` clones. TOOLGATE_TEST_DATABASE_URL names a server to use instead of an own one.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { createLog } from '../src/platform/log.ts';
import { migrate, openDatabase } from '../src/platform/db/index.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: { url: string; template: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TOOLGATE_TEST_DATABASE_URL'];
  const server = given === undefined ? await startServer() : { url: given, stop: async () => {} };
  try {
    const template = `toolgate_template_${process.pid}_${Date.now().toString(36)}`;
    await onServer(server.url, `create database ${template}`);
    await migrateTemplate(server.url, template);
    project.provide('postgres', { url: server.url, template });
    return async () => {
      if (given !== undefined) await onServer(given, `drop database if exists ${template} with (force)`);
      await server.stop();
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The URL of another database on the same server. */
export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** Runs one statement on the server's own database, which no test uses. */
export async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function migrateTemplate(serverUrl: string, template: string): Promise<void> {
  const database = await openDatabase({
    url: databaseUrl(serverUrl, template),
    dataDir: '',
    log: createLog('silent'),
  });
  try {
    await migrate(database, new URL('../migrations/', import.meta.url));
  } finally {
    await database.close();
  }
}

interface Server {
  url: string;
  stop(): Promise<void>;
}

/** A PostgreSQL of its own, gone with this process. Throws when there are no binaries of one. */
export async function startServer(): Promise<Server> {
  const bin = findBinaries();
  const owner = unprivilegedUser();
  const directory = mkdtempSync(join(tmpdir(), 'toolgate-postgres-'));
  if (owner) chownSync(directory, owner.uid, owner.gid);
  const port = await freePort();
  const child = spawn('/bin/sh', ['-c', lifecycle, 'sh', bin, directory, String(port)], {
    ...owner,
    cwd: directory,
    // An own process group: Ctrl-C reaches us alone, and the closing pipe then ends the server.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  });
  const stop = () => stopServer(child);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  try {
    await untilItAnswers(url, child);
  } catch (cause) {
    await stop();
    throw new Error(`The test PostgreSQL did not start:\n${output}`, { cause });
  }
  return { url, stop };
}

/**
 * Lives as long as its standard input: however the test run ends (also by SIGKILL), the pipe closes, the
 * server is stopped at once (SIGQUIT: nothing in it is worth a checkpoint) and its directory is deleted.
 */
const lifecycle = `
bin=$1 dir=$2 port=$3
trap 'rm -rf "$dir"' EXIT
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >&2 || exit 1
"$bin/postgres" -D "$dir/data" -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 -c max_connections=200 \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB </dev/null >&2 &
server=$!
# Again and again, because a server that is just starting still ignores the signal.
trap 'while kill -QUIT $server 2>/dev/null; do sleep 0.1; done; rm -rf "$dir"' EXIT
cat >/dev/null
`;

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  await exited;
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await onServer(url, 'select 1');
      return;
    } catch (error) {
      if (Date.now() > deadline || child.exitCode !== null) throw error;
      await sleep(50);
    }
  }
}

/** Where `initdb` and `postgres` are. */
export function findBinaries(): string {
  const candidates = [pgConfigBindir(), ...newestFirst('/usr/lib/postgresql/*/bin'), ...pathFolders()];
  const found = candidates.find(
    (dir) => existsSync(join(dir, 'initdb')) && existsSync(join(dir, 'postgres')),
  );
  if (found === undefined) {
    throw new Error(
      'The tests need PostgreSQL 15 or newer: install it, or name a server in TOOLGATE_TEST_DATABASE_URL.',
    );
  }
  return found;
}

function pgConfigBindir(): string {
  try {
    return execFileSync('pg_config', ['--bindir'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return ''; // Not installed: the other places are tried.
  }
}

function newestFirst(pattern: string): string[] {
  return globSync(pattern).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

function pathFolders(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
}

/** PostgreSQL refuses to run as root, so root hands it to another user. */
export function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string, user: string) =>
    Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  for (const user of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', user), gid: id('-g', user) };
    } catch {
      // No such user: the next one is tried.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1.');
  return address.port;
}
