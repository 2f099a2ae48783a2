// What one process is told counts in all of them, and on every stream that is open: two replicas, and two workers.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { webClient } from '../web-client.ts';
import {
  askModern,
  answerOf,
  bearer,
  closeLater,
  type Listening,
  listenLegacy,
  listenModern,
  openSession,
  post,
  textOf,
} from './clients.ts';
import { eventually, type Gate, startGate } from './gate.ts';

const upstream = closeLater(await startHostileHttp());
const config = {
  mcpServers: {
    one: { type: 'http', url: upstream.url('ok') },
    two: { type: 'http', url: upstream.url('ok') },
  },
  groups: { One: { servers: ['one'] }, Two: { servers: ['two'] } },
  network: { allow: ['127.0.0.0/8'] },
};

interface Installation {
  /** Where administrators are. */
  readonly gate: Gate;
  /** Addresses to ask, so that every process has been asked. */
  readonly urls: readonly string[];
}

const installations: Readonly<Record<string, () => Promise<Installation>>> = {
  'two replicas': async () => {
    const env = { TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64') };
    const gate = await startGate({ config, env });
    const { databaseUrl = '', adminToken } = gate;
    const other = await startGate({
      config,
      env: { ...env, DATABASE_URL: databaseUrl, TOOLGATE_ADMIN_TOKEN: adminToken },
    });
    return { gate, urls: [gate.url, other.url] };
  },
  'two workers': async () => {
    const gate = await startGate({ config, env: { WORKERS: '2' } });
    // New connections go to the workers in turn.
    return { gate, urls: Array.from({ length: 6 }, () => gate.url) };
  },
};

const fresh = { connection: 'close' };

interface Person {
  readonly email: string;
  readonly token: string;
  readonly tokenId: string;
}

interface Seen {
  readonly person: Person;
  readonly streams: readonly Listening[];
}

const names = async (url: string, { token }: Person) => {
  const { status, message } = await askModern({ url: `${url}/mcp`, token, headers: fresh }, 'tools/list');
  return status === 200 ? message.result.tools.map(({ name }: { name: string }) => name) : status;
};
const echo = async (url: string, { token }: Person, server: string) => {
  const { status, message } = await askModern({ url: `${url}/mcp`, token, headers: fresh }, 'tools/call', {
    name: `${server}__echo`,
    arguments: { text: 'hi' },
  });
  return message?.result ? textOf(message.result).isError : status;
};

/** What is taken away, and what must then be so wherever somebody asks. */
const revocations: readonly {
  readonly what: string;
  take(gate: Gate, person: Person): Promise<{ readonly status: number }>;
  /** What the call and the streams come to. */
  readonly becomes: 'out' | 'told';
}[] = [
  {
    what: 'a token',
    take: (gate, { tokenId }) => gate.admin('DELETE', `/tokens/${tokenId}`),
    becomes: 'out',
  },
  {
    what: 'a user, disabled',
    take: (gate, { email }) => gate.admin('PATCH', `/users/${email}`, { disabled: true }),
    becomes: 'out',
  },
  {
    what: 'a user’s group',
    take: (gate, { email }) => gate.admin('DELETE', `/users/${email}/groups/One`),
    becomes: 'told',
  },
  {
    what: 'a tool of a group',
    take: (gate) => gate.admin('PUT', '/groups/One/servers/one', { tools: ['add'] }),
    becomes: 'told',
  },
  {
    what: 'a server of a group',
    take: (gate) => gate.admin('DELETE', '/groups/One/servers/one'),
    becomes: 'told',
  },
  {
    what: 'a server',
    take: (gate) => gate.admin('PATCH', '/servers/one', { enabled: false }),
    becomes: 'told',
  },
];

describe.each(Object.entries(installations))('in %s', async (_name, start) => {
  const { gate, urls } = await start();
  let people = 0;

  const everywhere = (what: string, check: (url: string) => Promise<boolean>) =>
    eventually(what, async () => (await Promise.all(urls.map(check))).every(Boolean));

  async function somebody(): Promise<Person> {
    const email = `p${++people}@acme.com`;
    await gate.admin('PATCH', '/servers/one', { enabled: true });
    await gate.admin('PUT', '/groups/One/servers/one', { tools: ['*'] });
    await gate.admin('POST', '/users', { email, groups: ['One', 'Two'] });
    const { body } = await gate.admin('POST', '/tokens', { user: email, name: 'e2e' });
    const person = { email, token: body.token, tokenId: body.id };
    await everywhere('the calls pass', async (url) => (await echo(url, person, 'one')) === false);
    return person;
  }

  async function withStreams(): Promise<Seen> {
    const person = await somebody();
    const streams: Listening[] = [];
    for (const url of urls) {
      const raw = { url: `${url}/mcp`, token: person.token };
      streams.push(await listenModern(raw, { toolsListChanged: true }));
      streams.push(await listenLegacy(await openSession(raw.url, raw.token)));
    }
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200));
    return { person, streams };
  }

  test.each(revocations)(
    '$what is taken away everywhere, open streams included',
    async ({ take, becomes }) => {
      const { person, streams } = await withStreams();
      expect((await take(gate, person)).status).toBeLessThan(300);
      if (becomes === 'out') {
        await everywhere('refused', async (url) => (await echo(url, person, 'one')) === 401);
        await eventually('all streams have ended', () => streams.every((stream) => stream.ended()));
        return;
      }
      await everywhere('the call is refused', async (url) => (await echo(url, person, 'one')) === true);
      await everywhere(
        'the tool is not shown',
        async (url) => !(await names(url, person)).includes('one__echo'),
      );
      const changed = 'notifications/tools/list_changed';
      await eventually('all streams have been told', () =>
        streams.every(({ messages }) => messages.some(({ method }) => method === changed)),
      );
      // What was not taken away is still there.
      for (const url of urls) expect(await echo(url, person, 'two')).toBe(false);
      expect(streams.some((stream) => stream.ended())).toBe(false);
    },
  );

  test('an MCP session that its client ends is over everywhere', async () => {
    const { token } = await somebody();
    const session = await openSession(`${urls[0]}/mcp`, token);
    const ping = async (url: string) => {
      const at = { ...session, url: `${url}/mcp`, headers: fresh };
      return (await answerOf(await post(at, { jsonrpc: '2.0', id: 1, method: 'ping' }))).status;
    };
    await everywhere('it counts', async (url) => (await ping(url)) === 200);
    const headers = { ...bearer(token), ...fresh, 'mcp-session-id': session.session };
    expect((await fetch(`${urls[0]}/mcp`, { method: 'DELETE', headers })).status).toBe(204);
    await everywhere('it is over', async (url) => (await ping(url)) === 404);
  });

  test('a browser that signs out is signed out everywhere', async () => {
    const { token, email } = await somebody();
    const site = (url: string) => url.replace('127.0.0.1', 'localhost');
    const client = webClient(site(urls[0] ?? ''));
    const page = await client.get('/gateway/sign-in', fresh);
    expect((await client.post('/gateway/sign-in/token', { token }, { page })).status).toBe(303);
    const held = new Map(client.cookies);
    const isSignedIn = async (url: string) => {
      const other = webClient(site(url));
      for (const [name, value] of held) other.cookies.set(name, value);
      return (await other.get('/gateway/sessions', fresh)).text.includes(email);
    };
    await everywhere('signed in', isSignedIn);
    const sessions = await client.get('/gateway/sessions', fresh);
    expect((await client.post('/gateway/sign-out', {}, { page: sessions })).status).toBe(303);
    await everywhere('signed out', async (url) => !(await isSignedIn(url)));
  });
});
