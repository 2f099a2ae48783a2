// Open WebUI as the MCP client of a real gate: one connection key for everybody, a signed header for each person, and
// the requests of the Python SDK 1.x in the order in which it sends them.
import { SignJWT } from 'jose';
import { afterAll, expect, test } from 'vitest';
import { startOpenWebUi } from '../fakes/open-webui.ts';
import { bearer } from './clients.ts';
import { eventually, startGate } from './gate.ts';
import { startUpstream, toolsNamed } from './upstream.ts';

const secret = 'what-both-sides-know-0123456789abcdef';
const webUi = await startOpenWebUi();
afterAll(() => webUi.close());
const wiki = await startUpstream({ tools: {} }, toolsNamed(['find', 'read', 'delete']));
const tickets = await startUpstream({ tools: {} }, toolsNamed(['open', 'close']));
const gate = await startGate({
  config: {
    mcpServers: { wiki: { url: wiki.url }, tickets: { url: tickets.url } },
    groups: {
      Readers: { servers: { wiki: ['*', '!delete'] } },
      Support: { servers: ['tickets'] },
    },
    users: { 'alice@acme.com': { groups: ['Readers'] }, 'bob@acme.com': { groups: ['Support'] } },
    identity: { openWebUi: { groups: true } },
    network: { allow: ['127.0.0.0/8'] },
  },
  env: { FORWARD_USER_INFO_HEADER_JWT_SECRET: secret, OPEN_WEBUI_URL: webUi.origin },
});

async function connectionKey(mayForwardUsers: 'signed' | 'plain', service: string): Promise<string> {
  const { status, body } = await gate.admin('POST', '/tokens', {
    service,
    name: 'Open WebUI',
    mayForwardUsers,
  });
  expect(status).toBe(201);
  return body.token;
}

const signedKey = await connectionKey('signed', 'open-webui');
const plainKey = await connectionKey('plain', 'trusted-webui');

function userJwt(email: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    sub: 'u',
    email,
    name: 'N',
    role: 'user',
    iss: 'open-webui',
    iat: now,
    exp: now + 300,
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret));
}

type Headers = Readonly<Record<string, string>>;

/** Headers of one chat; Open WebUI fixes them when it connects. */
const chatOf = async (email: string, key = signedKey): Promise<Headers> => ({
  ...bearer(key),
  'x-openwebui-user-jwt': await userJwt(email),
  'x-openwebui-chat-id': 'chat-1',
  'x-openwebui-message-id': 'message-1',
});

interface Answered {
  readonly status: number;
  readonly session: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: each test checks the shape that it needs
  readonly body: any;
}

async function send(
  headers: Headers,
  message: object,
  more: Headers = {},
  url = gate.url,
): Promise<Answered> {
  const response = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...headers,
      ...more,
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  return {
    status: response.status,
    session: response.headers.get('mcp-session-id'),
    body: text === '' ? null : JSON.parse(text),
  };
}

/** Connects as the SDK does, and lists; answers a function that calls a tool over the same connection. */
async function connect(headers: Headers) {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'mcp', version: '0.1.0' },
  };
  const hello = await send(headers, { id: 0, method: 'initialize', params });
  expect(hello).toMatchObject({
    status: 200,
    session: null,
    body: { id: 0, result: { protocolVersion: '2025-11-25' } },
  });
  const version = { 'mcp-protocol-version': hello.body.result.protocolVersion };
  expect(await send(headers, { method: 'notifications/initialized' }, version)).toMatchObject({
    status: 202,
    body: null,
  });
  const listed = await send(headers, { id: 1, method: 'tools/list' }, version);
  expect(listed.status).toBe(200);
  expect(listed.body.result).not.toHaveProperty('nextCursor');
  const names: string[] = listed.body.result.tools.map(({ name }: { name: string }) => name);
  const call = async (name: string) => {
    const answer = await send(
      headers,
      { id: 2, method: 'tools/call', params: { name, arguments: {} } },
      version,
    );
    expect(answer.status).toBe(200);
    return answer.body.result;
  };
  return { names, call };
}

/** The same, once the servers have been met. */
const connected = (headers: Headers) =>
  eventually('a list that is not empty', async () => {
    const client = await connect(headers);
    return client.names.length > 0 && client;
  });

test('two people behind one key have lists of their own, and call what is theirs', async () => {
  const [alice, bob] = [
    await connected(await chatOf('alice@acme.com')),
    await connected(await chatOf('bob@acme.com')),
  ];
  expect(alice.names).toEqual(['wiki__find', 'wiki__read']);
  expect(bob.names).toEqual(['tickets__close', 'tickets__open']);
  expect(await alice.call('wiki__find')).toEqual({ content: [{ type: 'text', text: 'I am find' }] });
  for (const [client, tool] of [
    [alice, 'wiki__delete'],
    [alice, 'tickets__open'],
    [bob, 'wiki__find'],
  ] as const) {
    expect(await client.call(tool)).toEqual({
      content: [{ type: 'text', text: `There is no tool "${tool}" that you may use.` }],
      isError: true,
    });
  }
});

test('a person whom nobody has granted anything has an empty list, and so has the key alone', async () => {
  expect((await connect(await chatOf('new@acme.com'))).names).toEqual([]);
  expect((await connect(bearer(signedKey))).names).toEqual([]);
});

const plain = {
  'x-openwebui-user-email': 'alice@acme.com',
  'x-openwebui-user-id': 'u',
  'x-openwebui-user-role': 'admin',
};
const initialize = {
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {} },
};

test('plain headers name a person for a key that may send them, and are refused from any other', async () => {
  expect((await connected({ ...bearer(plainKey), ...plain })).names).toEqual(['wiki__find', 'wiki__read']);
  const refused = await send({ ...bearer(signedKey), ...plain }, initialize);
  expect(refused).toMatchObject({ status: 401, body: { error: { code: 'unauthenticated' } } });
  expect(refused.body.error.message).toContain('signed user headers only');
  const own = await gate.tokenFor('bob@acme.com');
  expect((await connected({ ...bearer(own), ...plain })).names).toEqual(['tickets__close', 'tickets__open']);
});

test('a placeholder that Open WebUI did not fill in is nobody, and gives no groups', async () => {
  const unfilled = { ...bearer(plainKey), 'x-openwebui-user-email': '{{USER_EMAIL}}' };
  expect((await send(unfilled, initialize)).status).toBe(401);
  const groups = {
    ...(await chatOf('new@acme.com', plainKey)),
    'x-openwebui-user-groups': '{{USER_GROUP_IDS}}',
  };
  expect((await connect({ ...groups, 'x-user-groups': 'Readers,MCP-Admin' })).names).toEqual([]);
});

test('a session of Open WebUI is a sign-in, its groups count as the config file says, and it ends with the account', async () => {
  const alice = webUi.account('alice@acme.com');
  const carol = webUi.account('carol@acme.com', { groups: ['Support'], role: 'admin' });
  const pending = webUi.account('eve@acme.com', { role: 'pending' });
  const session = await webUi.session(alice);
  expect((await connected(bearer(session))).names).toEqual(['wiki__find', 'wiki__read']);
  expect((await connected(bearer(await webUi.session(carol)))).names).toEqual([
    'tickets__close',
    'tickets__open',
  ]);
  for (const token of [
    await webUi.session(pending),
    await webUi.session(alice, { secret: 'guessed-guessed-guessed-guessed-1' }),
  ]) {
    expect((await send(bearer(token), initialize)).status).toBe(401);
    expect((await fetch(`${gate.url}/mcp-admin/api/users`, { headers: bearer(token) })).status).toBe(401);
  }
  const admin = bearer(await webUi.session(carol));
  expect((await fetch(`${gate.url}/mcp-admin/api/users`, { headers: admin })).status).toBe(401);
  webUi.instead = (_, response) => void response.writeHead(502).end();
  const away = await send(bearer(await webUi.session(alice)), initialize);
  expect(away).toMatchObject({ status: 503, body: { error: { code: 'identity_unavailable' } } });
  webUi.instead = undefined;
  expect(gate.logs()).not.toContain(session);
});

test('everybody behind one address: the key is not held to what one address may do, a stranger is', async () => {
  const limited = await startGate({
    config: { mcpServers: {}, users: {} },
    env: {
      ...{ FORWARD_USER_INFO_HEADER_JWT_SECRET: secret, RATE_LIMIT_ENABLED: 'true' },
      ...{ RATE_LIMIT_PER_IP: '20', RATE_LIMIT_PER_MINUTE: '3' },
    },
  });
  const input = { service: 'open-webui', mayForwardUsers: 'signed' };
  const { token } = (await limited.admin('POST', '/tokens', input)).body;
  const list = { id: 1, method: 'tools/list' };
  for (let i = 0; i < 30; i++) {
    const answer = await send(await chatOf(`p${i}@acme.com`, token), list, {}, limited.url);
    expect(answer).toMatchObject({ status: 200, body: { result: { tools: [] } } });
  }
  const strangers = await Promise.all(Array.from({ length: 30 }, () => send({}, list, {}, limited.url)));
  expect(new Set(strangers.map(({ status }) => status))).toEqual(new Set([401, 429]));
  const busy = await chatOf('busy@acme.com', token);
  for (let i = 0; i < 3; i++) await send(busy, list, {}, limited.url);
  const waiting = await send(busy, list, {}, limited.url);
  expect(waiting).toMatchObject({
    status: 200,
    body: { id: 1, error: { data: { retryAfter: expect.any(Number) } } },
  });
});
