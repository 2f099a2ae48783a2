import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import {
  askModern,
  closeLater,
  type Listening,
  listenLegacy,
  listenModern,
  openSession,
  postModern,
  textOf,
} from './clients.ts';
import { eventually, type Gate, startGate } from './gate.ts';

const upstream = closeLater(await startHostileHttp());
const config = {
  mcpServers: {
    one: { type: 'http', url: upstream.url('ok') },
    two: { type: 'http', url: upstream.url('ok') },
    three: { type: 'http', url: upstream.url('ok') },
  },
  groups: {
    All: { servers: ['one', 'two', 'three'] },
    One: { servers: ['one'] },
    Two: { servers: ['two'] },
    Few: { servers: { three: ['echo', 'add'] } },
  },
  network: { allow: ['127.0.0.0/8'] },
};
// Two programs on one database, as an operator runs them for more people: what one is told, the other must do.
const key = { TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64') };
const first = await startGate({ config, env: key });
const second = await startGate({
  config,
  env: { ...key, DATABASE_URL: first.databaseUrl!, TOOLGATE_ADMIN_TOKEN: first.adminToken },
});
const gates = { 'the gate that was told': first, 'another gate on the same database': second } as const;

interface Person {
  readonly email: string;
  readonly token: string;
  readonly tokenId: string;
}

let people = 0;

/** Somebody new in these groups, known to both gates. */
async function somebody(groups: readonly string[], token: object = {}): Promise<Person> {
  const email = `p${++people}@acme.com`;
  await first.admin('POST', '/users', { email, groups });
  const { body } = await first.admin('POST', '/tokens', { user: email, name: 'e2e', ...token });
  const person = { email, token: body.token, tokenId: body.id };
  for (const gate of Object.values(gates)) {
    await eventually('the token counts', async () => (await list(gate, person)).status === 200);
    await eventually('the tools are there', async () => (await names(gate, person)).length > 0);
  }
  return person;
}

function list(gate: Gate, { token }: Person) {
  return askModern({ url: `${gate.url}/mcp`, token }, 'tools/list');
}

async function names(gate: Gate, person: Person): Promise<string[]> {
  return (await list(gate, person)).message.result.tools.map(({ name }: { name: string }) => name);
}

async function echo(gate: Gate, { token }: Person, server: string) {
  const answer = await askModern({ url: `${gate.url}/mcp`, token }, 'tools/call', {
    name: `${server}__echo`,
    arguments: { text: 'hi' },
  });
  return answer.message?.result ? textOf(answer.message.result) : answer.status;
}

/** Streams of both eras that stay open. */
async function listenAll(gate: Gate, { token }: Person): Promise<Listening[]> {
  const url = `${gate.url}/mcp`;
  const streams = [
    await listenLegacy(await openSession(url, token)),
    await listenModern({ url, token }, { toolsListChanged: true }),
  ];
  expect(streams.map(({ status }) => status)).toEqual([200, 200]);
  return streams;
}

const told = (streams: readonly Listening[]) =>
  eventually('both streams say that the list changed', () =>
    streams.every(({ messages }) =>
      messages.some(({ method }) => method === 'notifications/tools/list_changed'),
    ),
  );
const over = (streams: readonly Listening[]) =>
  eventually('both streams have ended', () => streams.every((stream) => stream.ended()));

const hi = '{"text":"hi","isError":false}';
const denied = (server: string) => ({
  text: `There is no tool "${server}__echo" that you may use.`,
  isError: true,
});

describe.each(Object.keys(gates) as (keyof typeof gates)[])('at %s', (where) => {
  const gate = gates[where];

  test('a disabled user is out, with every stream', async () => {
    const person = await somebody(['All']);
    const streams = await listenAll(gate, person);
    expect((await first.admin('PATCH', `/users/${person.email}`, { disabled: true })).status).toBe(200);
    await over(streams);
    await eventually('refused', async () => (await list(gate, person)).status === 401);
    await first.admin('PATCH', `/users/${person.email}`, { disabled: false });
    await eventually('let in again', async () => JSON.stringify(await echo(gate, person, 'one')) === hi);
  });

  test('a revoked token is out, with every stream, and another one of the same person is not', async () => {
    const person = await somebody(['All']);
    const other = { ...person, token: await first.tokenFor(person.email) };
    await eventually('the other token counts', async () => (await list(gate, other)).status === 200);
    const streams = await listenAll(gate, person);
    const kept = await listenAll(gate, other);
    expect((await first.admin('DELETE', `/tokens/${person.tokenId}`)).status).toBe(204);
    await over(streams);
    await eventually('refused', async () => (await list(gate, person)).status === 401);
    const answer = await list(gate, person);
    expect(answer.headers.get('www-authenticate')).toMatch(
      /^Bearer resource_metadata=".*\/\.well-known\/oauth-protected-resource\/mcp", error="invalid_token"/,
    );
    expect((await list(gate, other)).status).toBe(200);
    expect(kept.some((stream) => stream.ended())).toBe(false);
  });

  test('a token that expires ends its streams', async () => {
    const person = await somebody(['All'], { expiresAt: new Date(Date.now() + 4_000).toISOString() });
    const streams = await listenAll(gate, person);
    await over(streams);
    expect((await list(gate, person)).status).toBe(401);
  });

  test('a group that loses a server takes it from its members, whose clients are told', async () => {
    const person = await somebody(['One', 'Two']);
    expect(await names(gate, person)).toContain('one__echo');
    const streams = await listenAll(gate, person);
    expect((await first.admin('DELETE', '/groups/One/servers/one')).status).toBe(204);
    await told(streams);
    expect(await names(gate, person)).not.toContain('one__echo');
    expect(await echo(gate, person, 'one')).toEqual(denied('one'));
    expect(await echo(gate, person, 'two')).toEqual({ text: 'hi', isError: false });
    await first.admin('PUT', '/groups/One/servers/one', { tools: ['*'] });
  });

  test('someone who leaves a group, or whose grant is narrowed, loses what it gave', async () => {
    const person = await somebody(['Two', 'Few']);
    const streams = await listenAll(gate, person);
    await first.admin('PUT', '/groups/Few/servers/three', { tools: ['add'] });
    await told(streams);
    expect((await names(gate, person)).filter((name) => name.startsWith('three'))).toEqual(['three__add']);
    expect(await echo(gate, person, 'three')).toEqual(denied('three'));
    expect((await first.admin('DELETE', `/users/${person.email}/groups/Two`)).status).toBe(204);
    await eventually(
      'nothing of two',
      async () => !(await names(gate, person)).some((name) => name.startsWith('two')),
    );
    expect(await echo(gate, person, 'two')).toEqual(denied('two'));
    await first.admin('PUT', '/groups/Few/servers/three', { tools: ['echo', 'add'] });
  });

  test('a disabled server is there for nobody, admins included, and calls under way end with a sentence', async () => {
    await first.admin('POST', '/groups', { name: 'Admins', admin: true });
    const person = await somebody(['Admins']);
    const streams = await listenAll(gate, person);
    const before = upstream.stats('ok').counts['tools/call'] ?? 0;
    const slow = postModern({ url: `${gate.url}/mcp`, token: person.token }, 'tools/call', {
      name: 'three__slow',
      arguments: { ms: 60_000 },
    });
    await eventually('the server is busy', () => (upstream.stats('ok').counts['tools/call'] ?? 0) > before);
    expect((await first.admin('PATCH', '/servers/three', { enabled: false })).status).toBe(200);
    await told(streams);
    const { result } = (await (await slow).json()) as { result: unknown };
    expect(textOf(result)).toEqual({
      text: expect.stringMatching(/^The server "three" .+\.$/),
      isError: true,
    });
    expect((await names(gate, person)).filter((name) => name.startsWith('three'))).toEqual([]);
    expect(await echo(gate, person, 'three')).toEqual(denied('three'));
    await first.admin('PATCH', '/servers/three', { enabled: true });
    await eventually('it is back', async () => JSON.stringify(await echo(gate, person, 'three')) === hi);
  });
});
