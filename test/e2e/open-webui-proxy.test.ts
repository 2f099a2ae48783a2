// The whole program in front of a stand-in for Open WebUI, whose sessions it looks up there.
import { request } from 'node:http';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, expect, test } from 'vitest';
import { startOpenWebUi } from '../fakes/open-webui.ts';
import { startSite } from '../fakes/open-webui-site.ts';
import { handshakeText, rawConnection, valuesOf } from '../open-webui-world.ts';
import { goodbyeIn } from '../web-socket.ts';
import { eventually, type Gate, query, startGate } from './gate.ts';
import { runProgram } from './program.ts';

const webUi = await startOpenWebUi();
const site = await startSite();
afterAll(async () => {
  await site.close();
  await webUi.close();
});
/** Whose sessions these are is known to the one, and all else is the other's. */
site.before = (req, res) => {
  if (!/^\/api\/v1\/(?:auths\/|users\/groups)$/.test(req.url ?? '')) return false;
  const asked = request(`${webUi.origin}${req.url}`, { headers: req.headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(res);
  });
  asked.end();
  return true;
};

const config = {
  groups: { 'MCP-Admin': { admin: true }, 'Tenant-Acme': { tenant: 'acme' } },
  tenants: { acme: { displayName: 'Acme' } },
  users: { 'alice@acme.com': { groups: ['Tenant-Acme'] }, 'boss@acme.com': { groups: ['MCP-Admin'] } },
  identity: { openWebUi: { stripHeaders: ['X-Acme-Login'] } },
};
const gate: Gate = await startGate({
  config,
  env: { OPEN_WEBUI_URL: site.origin, PUBLIC_URL: 'http://localhost:8085' },
});
const alice = webUi.account('alice@acme.com', { name: 'Alice' });
const session = await webUi.session(alice);
const cookie = { cookie: `token=${session}` };

test('people, headers and the signature are those of the gate', async () => {
  const headers = {
    ...cookie,
    'x-user-email': 'boss@acme.com',
    x_user_admin: 'true',
    'x-acme-login': 'boss@acme.com',
  };
  expect((await fetch(`${gate.url}/echo`, { headers })).status).toBe(200);
  const { rawHeaders } = site.last('/echo');
  expect(rawHeaders.join('\n')).not.toContain('boss@acme.com');
  expect(valuesOf(rawHeaders, 'x-user-email')).toEqual(['alice@acme.com']);
  expect(valuesOf(rawHeaders, 'x-user-groups')).toEqual(['Tenant-Acme']);
  expect(valuesOf(rawHeaders, 'x-user-name')).toEqual(['Alice']);
  const keys = (await (await fetch(`${gate.url}/gateway/jwks.json`)).json()) as JSONWebKeySet;
  const signature = valuesOf(rawHeaders, 'x-gateway-signature')[0] ?? '';
  const { payload } = await jwtVerify(signature, createLocalJWKSet(keys), { audience: site.origin });
  expect(payload.sub).toBe('alice@acme.com');
});

test('a Toolgate behind believes the signature, and nothing beside it', async () => {
  const inner = await startGate({
    config,
    env: { API_GATEWAY_MODE: 'true', API_GATEWAY_URL: gate.url, API_GATEWAY_AUDIENCE: site.origin },
  });
  await fetch(`${gate.url}/echo`, { headers: cookie });
  const { rawHeaders } = site.last('/echo');
  const said = Object.fromEntries(
    rawHeaders.flatMap((name, at) =>
      at % 2 === 0 && /^x-(user|gateway|auth)/i.test(name) ? [[name, rawHeaders[at + 1] ?? '']] : [],
    ),
  );
  const list = (headers: Record<string, string>) => fetch(`${inner.url}/servers`, { headers });
  expect((await list(said)).status).toBe(200);
  const { 'X-Gateway-Signature': signature = '', ...plain } = said;
  expect((await list(plain)).status).toBe(401);
  expect((await list({ ...plain, 'X-Gateway-Signature': `${signature.slice(0, -4)}AAAA` })).status).toBe(401);
  // Here it is a header as any other: this one stands behind nobody.
  expect((await fetch(`${gate.url}/servers`, { headers: said })).status).toBe(401);
});

test('a disabled person is refused within seconds, and their socket ends', async () => {
  const bob = await webUi.session(webUi.account('bob@acme.com'));
  const { port } = new URL(gate.url);
  const socket = await rawConnection(
    Number(port),
    handshakeText('/ws/socket.io/', `Cookie: token=${bob}`).replace('chat.acme.com', `localhost:${port}`),
  );
  await expect.poll(socket.text).toContain('hello');
  await eventually(
    'bob is known here',
    async () => (await gate.admin('GET', '/users/bob@acme.com')).status === 200,
  );
  expect((await gate.admin('PATCH', '/users/bob@acme.com', { disabled: true })).status).toBe(200);
  await socket.closed;
  const refused = await fetch(`${gate.url}/api/config`, { headers: { cookie: `token=${bob}` } });
  expect(refused.status).toBe(403);
});

test('each request is in the records, with a template for its path', async () => {
  await (await fetch(`${gate.url}/api/v1/chats/made-up-id`, { headers: cookie })).text();
  const { databaseUrl = '' } = gate;
  const rows = await eventually('the record is stored', async () => {
    const found = await query(
      databaseUrl,
      `select * from mcp_proxy.api_analytics where endpoint = '/api/v1/chats/{id}'`,
    );
    return found.length > 0 && found;
  });
  expect(rows[0]).toMatchObject({
    user_email: 'alice@acme.com',
    method: 'GET',
    status_code: 200,
    face: 'webui',
  });
});

test("what is the gate's own never gets there", async () => {
  site.arrived.length = 0;
  const token = await gate.tokenFor('alice@acme.com');
  for (const path of [
    '/servers',
    '/mcp-admin/api/users',
    '/gateway/health',
    '/gateway/made-up',
    '/mcp',
    '/tools/openapi.json',
  ])
    await (await fetch(`${gate.url}${path}`, { headers: { authorization: `Bearer ${token}` } })).text();
  expect(site.arrived.filter(({ url }) => !url.startsWith('/api/v1/'))).toEqual([]);
  await (await fetch(`${gate.url}/echo`, { headers: { authorization: `Bearer ${token}` } })).text();
  expect(JSON.stringify(site.arrived)).not.toContain(token);
});

test('WEBUI_SECRET_KEY without the Redis that tells of ended sessions is refused at the start', async () => {
  const { code, printed } = await runProgram({
    ...{ config, folder: gate.folder },
    env: {
      PORT: '0',
      OPEN_WEBUI_URL: site.origin,
      WEBUI_SECRET_KEY: 'a long secret',
      DATABASE_URL: gate.databaseUrl ?? '',
    },
  });
  expect(code).not.toBe(0);
  expect(printed).toContain('OPEN_WEBUI_REDIS_URL');
  expect(printed).not.toContain('a long secret');
});

test('when Toolgate stops, sockets are told to come back', async () => {
  const leaving = await startGate({ config, env: { OPEN_WEBUI_URL: site.origin } });
  const { port, host } = new URL(leaving.url);
  const handshake = handshakeText('/ws/socket.io/').replace('chat.acme.com', host);
  const socket = await rawConnection(Number(port), handshake);
  await expect.poll(socket.text).toContain('hello');
  await leaving.close();
  await socket.closed;
  expect(goodbyeIn(socket.text())?.code).toBe(1012);
});

test('when Open WebUI ends, people are told, and the gate says so', async () => {
  const { port } = site;
  await site.close();
  const page = await fetch(`${gate.url}/`, { headers: { accept: 'text/html' } });
  expect(page.status).toBe(503);
  expect(await page.text()).toContain('Open WebUI cannot be reached');
  const degraded = await eventually('the gate is degraded', async () => {
    const { degraded: parts } = (await (await fetch(`${gate.url}/gateway/ready`)).json()) as {
      degraded: { part: string }[];
    };
    return parts.find(({ part }) => part === 'Open WebUI');
  });
  expect(degraded).toMatchObject({ since: expect.any(String) });
  const again = await startSite(port);
  await eventually('it works again', async () => (await fetch(`${gate.url}/echo`)).status === 200);
  await again.close();
});
