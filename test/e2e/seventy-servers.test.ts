// Seventy servers of the shipped catalog at once, in all the ways that they are reached and signed in to, against
// stand-ins that take nothing but what their entries say. Twenty of them are dead.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Presented } from '../fakes/catalog-stand-ins.ts';
import { ask, askModern, openSession, textOf } from './clients.ts';
import { eventually, startGate } from './gate.ts';
import type { Json } from './program.ts';
import { schemeOf } from './seventy-entries.ts';
import {
  configOf,
  environment,
  everybody,
  type Name,
  people,
  storeAccounts,
  storeKeys,
  toolsOf,
} from './seventy-people.ts';
import { type SeventyServer, seventyServers } from './seventy-servers.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-seventy-'));
const accounts = everybody.map(({ email, set }) => ({ person: email, set }));
const { servers, standIns, places } = await seventyServers({
  folder,
  dead: { remote: 16, stdio: 4 },
  accounts,
});
afterAll(async () => {
  await Promise.all([standIns.close(), places.close()]);
  await rm(folder, { recursive: true, force: true });
});
const living = servers.filter(({ dead }) => dead === undefined);
const gone = servers.filter(({ dead }) => dead !== undefined);

const began = performance.now();
const gate = await startGate({ config: configOf(servers), env: environment });
process.stdout.write(`70 servers, 20 dead: ready after ${Math.round(performance.now() - began)} ms\n`);
const givenUpWhenReady = places.givenUp();

await storeKeys(gate, servers);
await storeAccounts(gate.databaseUrl!, servers);
const names = Object.keys(people) as Name[];
const tokens = new Map<Name, string>();
for (const name of names) tokens.set(name, await gate.tokenFor(people[name].email));
const raw = (name: Name) => ({ url: `${gate.url}/mcp`, token: tokens.get(name)! });

async function pagesOf(name: Name): Promise<string[][]> {
  const pages: string[][] = [];
  for (let cursor: object = {}; ; ) {
    const { result } = (await askModern(raw(name), 'tools/list', { ...cursor })).message;
    pages.push((result.tools as { name: string }[]).map((tool) => tool.name));
    if (result.nextCursor === undefined) return pages;
    cursor = { cursor: result.nextCursor };
  }
}

/** The first list is not waited for until each process has started; a later one has what it lacked. */
async function listed(name: Name, expected: readonly string[]): Promise<void> {
  const whole = async () => {
    const tools = (await pagesOf(name)).flat();
    return tools.length === expected.length && tools;
  };
  const found = await eventually(`${name} sees ${expected.length} tools`, whole, 30).catch(() =>
    pagesOf(name),
  );
  expect(found.flat().sort()).toEqual(expected);
}

async function shownBy(server: SeventyServer, name: Name): Promise<Json> {
  const [tool = ''] = toolsOf(people[name], [server]);
  const { message } = await askModern(raw(name), 'tools/call', { name: tool, arguments: {} });
  const { text, isError } = message.error
    ? { text: JSON.stringify(message), isError: true }
    : textOf(message.result);
  expect([server.id, isError, text]).toEqual([server.id, false, text]);
  const { server: id, tool: called, ...shown } = JSON.parse(text);
  expect(`${id}__${called}`).toBe(tool);
  // Where the directories of processes are is nobody's business here.
  return {
    ...shown,
    ...(shown.args && { args: shown.args.map((arg: string) => arg.replace(/^\/.*\//, '')) }),
  };
}

test('the seventy are of all kinds, and twenty are dead in five ways', () => {
  expect([servers.length, living.length, gone.length]).toEqual([70, 50, 20]);
  expect(new Set(servers.map(({ form }) => form.entry.category)).size).toBe(16);
  const kinds = new Set(living.map(({ form }) => `${form.way.type} ${form.auth}`));
  expect(kinds.size).toBe(11);
  expect(new Set(servers.map(({ form }) => schemeOf(form))).size).toBeGreaterThan(35);
  const ways = [...Map.groupBy(gone, ({ dead }) => dead)].map(([dead, all]) => [dead, all.length]);
  expect(Object.fromEntries(ways)).toEqual({ exits: 4, refused: 4, silent: 4, fails: 4, garbage: 4 });
  expect(servers.flatMap(({ tools }) => tools).length).toBeGreaterThan(1500);
});

test('it is ready before anybody has given up waiting for a dead one', () => {
  // Servers without keys are asked for their tools from the start on, and some of the silent ones are such.
  const silent = gone.filter(({ dead }) => dead === 'silent');
  expect(silent.map(({ form }) => form.auth)).toContain('none');
  expect(givenUpWhenReady).toBe(0);
  expect(gate.logs()).toContain('Toolgate is ready');
});

test('an administrator sees all seventy servers, and page by page the tools of all that live', async () => {
  const headers = { authorization: `Bearer ${tokens.get('root')}` };
  const body: Json = await (await fetch(`${gate.url}/servers`, { headers })).json();
  expect(body.items.map(({ id }: Json) => id)).toEqual(servers.map(({ id }) => id));
  const expected = toolsOf(people.root, living);
  await listed('root', expected);
  const pages = await pagesOf('root');
  expect(pages.length).toBeGreaterThan(1);
  expect(new Set(pages.flat()).size).toBe(expected.length);
  expect(places.givenUp()).toBe(0);
}, 60_000);

test.each(names.slice(1))(
  '%s sees what the group grants, and nothing else',
  async (name) => {
    const person = people[name];
    await listed(name, toolsOf(person, living));
    const headers = { authorization: `Bearer ${tokens.get(name)}` };
    const body: Json = await (await fetch(`${gate.url}/servers`, { headers })).json();
    const granted = servers.filter(({ at }) => person.grants.isGranted(at));
    expect(body.items.map(({ id }: Json) => id)).toEqual(granted.map(({ id }) => id));
    const [foreign] = toolsOf(people.root, living).filter((tool) => !toolsOf(person, servers).includes(tool));
    const { message } = await askModern(raw(name), 'tools/call', { name: foreign, arguments: {} });
    expect(message.error !== undefined || textOf(message.result).isError).toBe(true);
  },
  60_000,
);

test('clients of the older era get the same list', async () => {
  const expected = toolsOf(people.sam, living);
  const session = await openSession(`${gate.url}/mcp`, tokens.get('sam')!);
  const tools = await eventually('all are listed', async () => {
    const { message } = await ask(session, 'tools/list');
    const all = (message.result.tools as Json[]).map((tool) => tool.name as string);
    return all.length === expected.length && all;
  });
  expect(tools.sort()).toEqual(expected);
});

test.each(names)('what %s calls reaches each server with exactly its own keys and values', async (name) => {
  const person = people[name];
  const callable = living.filter((server) => toolsOf(person, [server]).length > 0);
  expect(callable.length).toBeGreaterThan(8);
  const shown = await Promise.all(callable.map((server) => shownBy(server, name)));
  const expected = callable.map((server) => server.shownTo(person.set, person.email));
  expect(shown).toEqual(expected);
});

test('no server was ever shown a key that is not its own', () => {
  expect(standIns.refused).toEqual([]);
  const whose = new Map<string, string>(everybody.map(({ email, set }) => [email, set]));
  for (const { id, at } of living.filter(({ form }) => form.way.type !== 'stdio')) {
    const seen = [...standIns.taken]
      .filter((one) => one.startsWith(`${id} `))
      .map((one) => one.split(' ')[1]!);
    const sets = new Set(seen.map((one) => whose.get(one) ?? one));
    if (sets.has('anybody')) expect([id, ...sets]).toEqual([id, 'anybody']);
    else
      expect([id, ...sets].sort()).toEqual(
        [id, ...(at % 2 === 0 ? ['north', 'shared', 'south'] : ['shared'])].sort(),
      );
  }
});

test('the stand-ins refuse what their entries do not say, each in its own way', async () => {
  const remote = living.filter(({ form }) => form.way.type !== 'stdio' && form.auth !== 'none');
  for (const server of remote) {
    const { target, headers } = server.shownTo('shared', people.root.email) as Presented;
    const method = server.form.way.type === 'sse' ? 'GET' : 'POST';
    for (const [name, value] of [...Object.entries(headers), ['', '']] as const) {
      const spoiled = name === '' ? {} : { ...headers, [name]: `${value}x` };
      const { status, headers: said } = await fetch(`${standIns.origin}${target}`, {
        method,
        headers: spoiled,
      });
      expect([server.id, name, status]).toEqual([server.id, name, 401]);
      expect(said.get('www-authenticate')).toMatch(
        server.form.auth === 'oauth' ? /resource_metadata="/ : / realm="/,
      );
    }
  }
  const [keyed] = living.filter(({ form }) => form.fields.some(({ goesTo }) => goesTo.kind === 'env'));
  const { command, args } = keyed!.definition as { command: string; args: string[] };
  const ended = spawnSync(command, args, { env: {}, encoding: 'utf8' });
  expect([ended.status, ended.stdout, ended.stderr]).toEqual([
    1,
    '',
    expect.stringMatching(/^Set [A-Z_, a-z]+ in/),
  ]);
});

test('the dead are told as such, each with a reason, and none that lives', async () => {
  places.letGo();
  const expected = gone.map(({ id }) => `server ${id}`).sort();
  const degraded = async () => {
    const { degraded: parts } = (await (await fetch(`${gate.url}/gateway/ready`)).json()) as Json;
    const found = parts.map(({ part }: Json) => part).filter((part: string) => part.startsWith('server '));
    return found.sort() as string[];
  };
  await eventually('all are known', async () => (await degraded()).length === gone.length).catch(
    () => undefined,
  );
  expect(await degraded()).toEqual(expected);
  const { body } = await gate.admin('GET', '/servers/state?limit=200');
  for (const { id } of gone) {
    const states = body.items.filter(({ server }: Json) => server === id);
    expect([id, states.length > 0]).toEqual([id, true]);
    for (const state of states) {
      expect(state).toMatchObject({ connected: false, lastError: { message: expect.any(String) } });
      expect(state.circuit.state).not.toBe('closed');
    }
  }
  for (const { id } of living) {
    const states = body.items.filter(({ server }: Json) => server === id);
    expect([id, states.some(({ connected }: Json) => connected)]).toEqual([id, true]);
  }
});

test('no key, no token and no value of the master key is in the log', () => {
  const logs = gate.logs();
  expect(logs).not.toMatch(/secret-of-|account-of-/);
  expect(logs).not.toContain(environment.TOOLGATE_MASTER_KEY);
});
