// The master key is changed while two real processes serve calls with tenants' keys: none fails, and nothing shows.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { testDatabaseUrl } from '../database.ts';
import { findBinaries } from '../postgres.ts';
import { startRoundRobin } from '../round-robin.ts';
import { closeLater } from './clients.ts';
import { eventually, type Gate } from './gate.ts';
import {
  cli,
  listed,
  newKey,
  ready,
  secretOf,
  servers,
  start,
  storeKeys,
  tenants,
  tokenOf,
  whose,
} from './keyed-gates.ts';

const [first, second] = [newKey(), newKey()];

test('with two replicas under load: no call fails, the old key goes, and no plaintext is to be found', async () => {
  const both = `${first.text},${second.text}`;
  const replicas = await start(await testDatabaseUrl(), [both, both]);
  const [a, b] = replicas;
  const said: string[] = [];
  await storeKeys(a, said);
  const proxy = closeLater(await startRoundRobin(replicas.map(({ url }) => url)));
  const load = await startLoad(a, proxy.url, [a, b]);
  await load.more(100);
  // Nobody would find a canary that is not there, so the look itself is looked at first.
  expect(leaks([...secretOf.values()].join())).toHaveLength(secretOf.size);
  expect(leaks(await everythingThatShows(a, replicas, said))).toEqual([]);

  expect(await cli(b, 'keys', 'rotate', '--to', second.id)).toMatchObject({ code: 0 });
  await load.more(100);
  const progress = (await a.admin('GET', '/master-keys/rotation')).body;
  expect(progress).toMatchObject({ to: second.id, remaining: 0, failed: 0 });
  expect(progress.done).toBe(secretOf.size + 1);
  // And back again, at the other one, so that there are calls before, during and after more than once.
  expect((await a.admin('POST', '/master-keys/rotate', { to: first.id })).status).toBe(200);
  await load.more(50);
  expect((await b.admin('POST', '/master-keys/rotate', { to: second.id })).status).toBe(200);
  for (const gate of replicas)
    await eventually('everything is sealed anew, and it knows', async () => {
      const { to, remaining } = (await gate.admin('GET', '/master-keys/rotation')).body;
      return to === second.id && remaining === 0;
    });
  await load.more(100);

  const retired = await eventually('the old key goes', async () => {
    // One that was sealed just before the rotation may have been stored just after it.
    const answer = await cli(a, 'keys', 'retire', first.id);
    return answer.code === 0 && answer;
  });
  expect(retired.out).toContain(`${first.id} is retired`);
  await load.more(100);
  expect(await load.end()).toEqual([]);
  expect(leaks(await everythingThatShows(a, replicas, said))).toEqual([]);

  for (const gate of replicas) await gate.kill('SIGTERM');
  expect(leaks(replicas.map((gate) => gate.logs()).join())).toEqual([]);
  const alone = await start(a.databaseUrl ?? '', [second.text, second.text]);
  for (const gate of alone) {
    expect((await ready(gate)).status).toBe('ready');
    for (const tenant of tenants)
      expect(await whose(gate.url, await tokenOf(gate, tenant), 'crm-3')).toBe(`${tenant} crm-3`);
  }
}, 240_000);

test('a process that is killed in the middle leaves the rest to another one', async () => {
  const both = `${first.text} ${second.text}`;
  const [a, b] = await start(await testDatabaseUrl(), [both, both]);
  const { databaseUrl = '' } = a;
  await storeKeys(a, []);
  // Somebody holds some rows, so that the rotation cannot come to its end.
  const holder = new pg.Client({ connectionString: databaseUrl });
  await holder.connect();
  await holder.query('begin');
  await holder.query(`select 1 from mcp_proxy.credentials where server_id = 'crm-7' for update`);
  expect((await a.admin('POST', '/master-keys/rotate', { to: second.id })).body.total).toBe(
    secretOf.size + 1,
  );
  await eventually('it is in the middle', async () => (await left(b)) === tenants.length);
  await a.kill('SIGKILL');
  await holder.query('rollback');
  await holder.end();
  await eventually('the other one is done', async () => (await left(b)) === 0, 60);
  for (const tenant of tenants)
    expect(await whose(b.url, await tokenOf(b, tenant), 'crm-7')).toBe(`${tenant} crm-7`);
  const answer = await cli(b, 'keys', 'retire', first.id);
  expect(answer.code).toBe(0);
}, 120_000);

/**
 * Calls of every tenant to every server at both replicas, while keys are stored anew all the time, so that there are
 * always some to be opened. `end` gives everything that was not the right answer.
 */
async function startLoad(gate: Gate, url: string, writers: readonly Gate[]) {
  const tokens = new Map<string, string>();
  for (const tenant of tenants) tokens.set(tenant, await tokenOf(gate, tenant));
  for (const other of writers)
    for (const token of tokens.values())
      await eventually('the token counts', async () => (await listed(other.url, token)) === 200);
  const failed: unknown[] = [];
  let calls = 0;
  let isOver = false;
  const caller = async (turn: number) => {
    for (let n = turn; !isOver; n += 7) {
      const [tenant = '', server = ''] = [tenants[n % tenants.length], servers[n % servers.length]];
      const answer = await whose(url, tokens.get(tenant) ?? '', server).catch((error: unknown) =>
        String(error),
      );
      if (answer !== `${tenant} ${server}`) failed.push([tenant, server, answer]);
      calls++;
    }
  };
  const writer = async (turn: number) => {
    const owners = [...secretOf];
    for (let n = turn; !isOver; n += 5) {
      const [owner = '', value] = owners[n % owners.length] ?? [];
      const [tenant, server] = owner.split(' ');
      const answer = await writers[n % writers.length]?.admin('PUT', `/tenants/${tenant}/keys/${server}`, {
        value,
      });
      if (answer?.status !== 200) failed.push([owner, answer?.status, answer?.body]);
      await sleep(20);
    }
  };
  const work = Promise.all([caller(0), caller(1), caller(2), caller(3), writer(0), writer(1)]);
  return {
    async more(count: number) {
      const from = calls;
      await eventually(`${count} more calls`, () => calls >= from + count, 60);
    },
    async end() {
      isOver = true;
      await work;
      return failed;
    },
  };
}

async function left(gate: Gate): Promise<number> {
  return (await gate.admin('GET', '/master-keys/rotation')).body.remaining;
}

/** A dump of the database, what the processes print, the process list, and what the admin API answers. */
async function everythingThatShows(
  gate: Gate,
  gates: readonly Gate[],
  said: readonly string[],
): Promise<string> {
  const dump = execFileSync(path.join(findBinaries(), 'pg_dump'), ['--inserts', gate.databaseUrl ?? ''], {
    maxBuffer: 1024 ** 3,
    encoding: 'utf8',
  });
  expect(dump).toContain('crm-3');
  const answers = [];
  for (const at of [
    '/master-keys',
    '/master-keys/rotation',
    '/keys',
    '/tenants/north/keys',
    '/audit?limit=200',
    '/servers',
  ])
    answers.push(JSON.stringify((await gate.admin('GET', at)).body));
  const lists = await cli(gate, 'keys', 'list');
  return [
    dump,
    ...gates.map((one) => one.logs()),
    commandLines(),
    ...answers,
    lists.out,
    lists.error,
    ...said,
  ].join('\n');
}

function commandLines(): string {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => textOfFile(`/proc/${pid}/cmdline`)).join('\n');
}

function textOfFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}

/** Canaries and master keys in a text, as they are, in base64 or in hex. */
function leaks(text: string): string[] {
  const keys = [first, second].map((key) => key.text);
  return [...secretOf.values(), ...keys].filter((secret) => {
    const bytes = Buffer.from(secret);
    return [secret, bytes.toString('base64').slice(4, -4), bytes.toString('hex')].some((form) =>
      text.includes(form),
    );
  });
}
