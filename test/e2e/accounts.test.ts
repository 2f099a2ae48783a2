// People connect accounts of their own from a chat: the real program, a real authorization server, real MCP clients.
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { startOAuthServer } from '../fakes/oauth-mcp-server.ts';
import { startSignInService } from '../fakes/sign-in-service.ts';
import { type Visit, type WebClient, webClient } from '../web-client.ts';
import { bearer, clientV1, clientV2, textOf, toolClients } from './clients.ts';
import { eventually, startGate } from './gate.ts';

const people = ['alice', 'bob', 'carol', 'dora'].map((name) => `${name}@acme.com`);
const oauth = await startOAuthServer({ accessTokenSeconds: 4 });
const company = await startSignInService();
afterAll(async () => {
  await oauth.close();
  await company.close();
});

const { origin: issuer, clientId, clientSecret } = company;
const env = { SIGN_IN_SECRET: clientSecret, TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64') };
const config = {
  identity: {
    issuers: [
      {
        ...{ name: 'acme', kind: 'generic', issuer, audience: ['api'] },
        signIn: { clientId, clientSecret: '${env:SIGN_IN_SECRET}', label: 'Acme' },
      },
    ],
  },
  mcpServers: { desk: { url: oauth.url, displayName: 'Service Desk', account: { kind: 'oauth' } } },
  groups: { Everyone: { servers: ['desk'] } },
  network: { allow: ['127.0.0.0/8'] },
  users: Object.fromEntries(people.map((person) => [person, { groups: ['Everyone'] }])),
};
const gate = await startGate({ env, config });
const siteOf = ({ url }: { url: string }) => url.replace('127.0.0.1', 'localhost');
const site = siteOf(gate);
const link = /http:\/\/localhost:\d+\/gateway\/connect\?link=[\w-]+/;

function hrefOf({ text }: Visit, label: string): string {
  const [, href = ''] = new RegExp(`href="([^"]+)">${label}<`).exec(text) ?? [];
  return href.replaceAll('&#38;', '&');
}

/** What a person does who follows a link from the chat: signs in at the company, then at the service. */
async function connects(person: string, url: string): Promise<WebClient> {
  const browser = webClient(new URL(url).origin);
  const away = await signsIn(browser, person, url);
  expect(new URL(away.location ?? '').origin).toBe(new URL(oauth.issuer).origin);
  const back = await oauth.signIn(away.location ?? '', person);
  const done = await browser.get(back.href);
  expect(done.text).toContain('Service Desk is connected');
  return browser;
}

/** The first answer to `url` once the browser is signed in at the company as this person. */
async function signsIn(browser: WebClient, person: string, url: string): Promise<Visit> {
  const { location = '' } = await browser.get(url);
  const page = await browser.get(location);
  company.person = { sub: `id of ${person}`, email: person };
  const toCompany = await browser.get(hrefOf(page, 'Sign in with Acme'));
  const answered = await fetch(toCompany.location ?? '', { redirect: 'manual' });
  const signedIn = await browser.get(answered.headers.get('location') ?? '');
  return browser.get(signedIn.location ?? '');
}

test('two people connect from their chats, their tokens are renewed, and one is taken back', async () => {
  const [alice = '', bob = ''] = people;
  // Alice's client is one of 2025-11-25, Bob's one of 2026-07-28; both can open pages.
  const old = await clientV1(`${gate.url}/mcp`, await gate.tokenFor(alice), { elicitation: { url: {} } });
  old.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    if (params.mode === 'url') await connects(alice, params.url);
    return { action: 'accept' as const };
  });
  const modern = await clientV2(
    `${gate.url}/mcp`,
    await gate.tokenFor(bob),
    { pin: '2026-07-28' },
    { elicitation: { url: {} } },
  );
  modern.setRequestHandler('elicitation/create', async ({ params }) => {
    if (params.mode === 'url') await connects(bob, params.url);
    return { action: 'accept' as const };
  });
  const names = async (client: typeof old | typeof modern) =>
    (await client.listTools()).tools.map(({ name }) => name);
  const whoami = async (client: typeof old | typeof modern) =>
    textOf(await client.callTool({ name: 'desk__whoami', arguments: {} }));
  expect(await names(old)).toEqual(['desk__connect_account']);

  expect(await whoami(old)).toEqual({ text: alice, isError: false });
  expect(await whoami(modern)).toEqual({ text: bob, isError: false });
  expect(await names(old)).toEqual(['desk__whoami']);

  await eventually('the tokens of both are renewed', async () => {
    expect((await whoami(old)).text).toBe(alice);
    expect((await whoami(modern)).text).toBe(bob);
    return oauth.usedRefreshTokens.length >= 2;
  });
  expect(new Set(oauth.usedRefreshTokens).size).toBe(oauth.usedRefreshTokens.length);

  await oauth.revoke(alice);
  old.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' as const }));
  const refused = await eventually('alice is asked to connect again', async () => {
    const answer = await whoami(old);
    return answer.isError && answer;
  });
  expect(refused.text).toMatch(link);
  expect((await whoami(modern)).text).toBe(bob);
}, 90_000);

test('a chat that cannot open pages gets the link, and a person whose browser is another’s gets nothing', async () => {
  const [, bob = '', carol = ''] = people;
  const connect = toolClients['sdk 1.x'];
  if (!connect) throw new Error('there is such a client');
  const chat = await connect(`${gate.url}/mcp/desk`, await gate.tokenFor(carol));
  const refused = await chat.call('whoami', {});
  expect(refused.isError).toBe(true);
  const [url = ''] = link.exec(refused.text) ?? [];
  const stranger = webClient(site);
  const shown = await signsIn(stranger, bob, url);
  expect([shown.status, shown.location]).toEqual([403, undefined]);
  expect(shown.text).toContain('This link is for somebody else');

  const browser = await connects(carol, url);
  expect((await chat.call('whoami', {})).text).toBe(carol);
  const page = await browser.get('/gateway/accounts');
  expect(page.text).toContain('connected');
  await browser.post('/gateway/accounts/disconnect', { server: 'desk' }, { page });
  expect((await chat.call('whoami', {})).text).toMatch(link);
});

test('a call that waits at one process goes on when its person has connected at another one', async () => {
  const other = await startGate({ config, env: { ...env, DATABASE_URL: gate.databaseUrl ?? '' } });
  const dora = people[3] ?? '';
  const chat = await clientV1(`${gate.url}/mcp/desk`, await gate.tokenFor(dora), {
    elicitation: { url: {} },
  });
  chat.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    if (params.mode === 'url') await connects(dora, params.url.replace(site, siteOf(other)));
    return { action: 'accept' as const };
  });
  expect(textOf(await chat.callTool({ name: 'whoami', arguments: {} }))).toEqual({
    text: dora,
    isError: false,
  });
}, 60_000);

test('a server that gets another issuer is sent no token of accounts that were connected at the one before', async () => {
  const [, , carol = ''] = people;
  const connect = toolClients['sdk 1.x'];
  if (!connect) throw new Error('there is such a client');
  const chat = await connect(`${gate.url}/mcp/desk`, await gate.tokenFor(carol));
  const [url = ''] = link.exec((await chat.call('whoami', {})).text) ?? [];
  await connects(carol, url);
  expect((await chat.call('whoami', {})).text).toBe(carol);
  const patched = await gate.admin('PATCH', '/servers/desk', { account: { kind: 'oauth', issuer } });
  expect(patched.body).toMatchObject({ account: { kind: 'oauth', issuer }, managedBy: 'admin' });
  const refused = await chat.call('whoami', {});
  expect([refused.isError, refused.text.includes(carol)]).toEqual([true, false]);
  await gate.admin('PATCH', '/servers/desk', { account: { kind: 'oauth' } });
  expect((await chat.call('whoami', {})).text).toBe(carol);
});

test('nothing of a token, a code or a cookie is in the log', async () => {
  const printed = gate.logs();
  for (const { form } of oauth.posted)
    for (const name of ['code', 'refresh_token', 'code_verifier', 'token'])
      if (form.get(name)) expect(printed).not.toContain(form.get(name));
  expect(printed).not.toContain(clientSecret);
  const servers = await fetch(`${gate.url}/servers`, {
    headers: bearer(await gate.tokenFor('bob@acme.com')),
  });
  expect(JSON.stringify(await servers.json())).not.toMatch(/token|secret/i);
});
