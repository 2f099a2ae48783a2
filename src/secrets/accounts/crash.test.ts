import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import {
  accountsDatabase,
  alice,
  connect,
  masterKey,
  oauthServer,
  openAccounts,
  publicUrl,
  temporaryDirectory,
} from '../../../test/accounts-world.ts';
import { testDatabaseUrl } from '../../../test/database.ts';
import type { RenewingOptions } from '../../../test/fakes/renewing-process.ts';

const hour = 3_600_000;
const program = path.resolve('test/fakes/renewing-process.ts');

/** An account that a process of its own is about to renew. */
async function renewing() {
  const databaseUrl = await testDatabaseUrl();
  const database = await accountsDatabase(databaseUrl);
  const server = await oauthServer();
  const here = await openAccounts(database);
  const { question } = await connect(here, server);
  await here.close();
  const dataDir = await temporaryDirectory();
  const start = (): ChildProcess => {
    const options: RenewingOptions = {
      ...{ databaseUrl, dataDir, publicUrl, question, ahead: hour },
      masterKey: masterKey.toString('base64'),
    };
    const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const next = async (ahead: number) => {
    // Otherwise it would have to be waited for until the lease of the dead process ends.
    await sql`update mcp_proxy.user_accounts set lease_until = now() - interval '1 second'
      where lease_by is not null`.execute(database.db);
    const opened = await openAccounts(database, { dataDir, clock: () => Date.now() + ahead });
    return { ...opened, changing: opened.accounts.find(question)!.changing! };
  };
  return { database, server, question, dataDir, start, next };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

test('killed before it asked, a process leaves a refresh token that the next one uses', async () => {
  const { server, start, next } = await renewing();
  const child = start();
  const killed = Promise.withResolvers<void>();
  server.beforeToken = async () => {
    await kill(child);
    killed.resolve();
    return 503;
  };
  await killed.promise;
  server.beforeToken = () => undefined;
  const { changing } = await next(hour);
  expect(await server.whoHas(await changing.current())).toBe(alice);
});

test('killed before the answer came, it leaves a refresh token that is tried once, and then people are told', async () => {
  const { server, start, next, question } = await renewing();
  const child = start();
  const killed = Promise.withResolvers<void>();
  server.afterToken = async () => {
    await kill(child);
    killed.resolve();
    return 'cut' as const;
  };
  await killed.promise;
  server.afterToken = () => undefined;
  const { accounts, changing } = await next(hour);
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  expect(server.usedRefreshTokens.length).toBe(2);
  expect(accounts.stateOf(question)).toMatchObject({ state: 'reconnect' });
});

test('killed before the database was back, it leaves new tokens that the next process stores and goes on with', async () => {
  const { database, server, start, next, dataDir } = await renewing();
  const child = start();
  server.afterToken = async () => {
    server.afterToken = () => undefined;
    await database.withoutTimeLimit((owner) =>
      sql`alter table mcp_proxy.user_accounts rename to away`.execute(owner),
    );
    return undefined;
  };
  const kept = path.join(dataDir, 'unsaved-tokens');
  const files = () => readdir(kept).catch(() => []);
  await expect.poll(async () => (await files()).filter((name) => name.endsWith('.json')).length).toBe(1);
  await kill(child);
  await database.withoutTimeLimit((owner) =>
    sql`alter table mcp_proxy.away rename to user_accounts`.execute(owner),
  );
  const { changing } = await next(hour);
  const first = await changing.current();
  expect(await server.whoHas(first)).toBe(alice);
  expect(server.usedRefreshTokens.length).toBe(1);
  expect(await files()).toEqual([]);
  const later = await next(3 * hour);
  expect(await server.whoHas(await later.changing.current())).toBe(alice);
  expect(new Set(server.usedRefreshTokens).size).toBe(2);
  expect(server.refusals).toEqual([]);
});
