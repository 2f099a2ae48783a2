import { randomBytes } from 'node:crypto';
import { afterAll, inject } from 'vitest';
import { type Database, openDatabase } from '../src/platform/db/index.ts';
import { createLog } from '../src/platform/log.ts';
import { databaseUrl, onServer } from './postgres.ts';

const undo: (() => Promise<void>)[] = [];

// Registered when a test file imports this one, so that everything it opened is gone when it ends.
afterAll(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A database of its own for the caller: empty tables, every migration applied; dropped after the test file. */
export async function testDatabase(): Promise<Database> {
  const database = await openDatabase({
    url: await testDatabaseUrl(),
    dataDir: '',
    log: createLog('silent'),
  });
  undo.push(() => database.close());
  return database;
}

/** The same as a URL, for tests that start a process or open it themselves. */
export async function testDatabaseUrl(): Promise<string> {
  const { url, template } = inject('postgres');
  return createTestDatabase(url, `template ${template}`);
}

/** The URL of a database without any table of ours. */
export async function emptyDatabaseUrl(): Promise<string> {
  return createTestDatabase(inject('postgres').url, '');
}

async function createTestDatabase(serverUrl: string, options: string): Promise<string> {
  const name = `t_${randomBytes(8).toString('hex')}`;
  await onServer(serverUrl, `create database ${name} ${options}`);
  undo.push(() => onServer(serverUrl, `drop database if exists ${name} with (force)`));
  return databaseUrl(serverUrl, name);
}
