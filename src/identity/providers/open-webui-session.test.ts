import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ServerResponse } from 'node:http';
import { sql } from 'kysely';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { startOpenWebUi } from '../../../test/fakes/open-webui.ts';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';

const webUi = await startOpenWebUi();
afterAll(() => webUi.close());
const world = await identityWorld({ openWebUiUrl: webUi.origin });
const { db } = world;

await sql`insert into mcp_proxy.groups (name, display_name, external_ids) values
  ('MCP-Admin', '', '{}'), ('MCP-GitHub', '', '{}'), ('By-Id', '', '{"id of Ops"}')`.execute(db);
await world.snapshot.refresh();

const accountsPath = '/api/v1/auths/';
const groupsPath = '/api/v1/users/groups';
let people = 0;
const newcomer = (more: object = {}) => webUi.account(`person${++people}@acme.com`, more);
const askedOf = (path: string) => webUi.asked[path] ?? 0;

beforeEach(() => {
  webUi.instead = undefined;
  webUi.humansOnly = false;
  world.countGroupsOfOpenWebUi(false);
});

test('a session stands for the person whose account it is', async () => {
  const account = webUi.account('Alice@Acme.com', { role: 'admin', groups: ['MCP-Admin'] });
  expect(await world.call(await webUi.session(account))).toEqual({
    kind: 'user',
    id: 'alice@acme.com',
    assertedGroups: [],
    assertedBy: 'open-webui',
    tokenTenant: null,
    authSource: 'open-webui',
    credentialId: `open-webui:${account.id}`,
  });
});

test('a session without an end counts, and so does an API key', async () => {
  const account = newcomer();
  const endless = await webUi.session(account, { claims: { exp: undefined } });
  expect((await world.call(endless)).id).toBe(account.email);
  expect((await world.call(webUi.apiKey(account))).id).toBe(account.email);
});

test('a key that Open WebUI does not tell about, as from 0.12 on, is refused with a way out', async () => {
  webUi.humansOnly = true;
  const error = await world.refused(webUi.apiKey(newcomer()));
  expect(reasonOf(error)).toBe('session_forbidden');
  expect(error.message).toContain('API token of this gateway');
});

test('an answer counts for 55 seconds: the next request waits for nobody, and a sign-out counts after it', async () => {
  const token = await webUi.session(newcomer());
  await world.call(token);
  const before = askedOf(accountsPath);
  const request = { header: () => `Bearer ${token}`, clientIp: '', path: '/mcp' };
  expect(world.identity.authenticate(request)).not.toBeInstanceOf(Promise);
  webUi.revoke(token);
  world.pass(39_000);
  await world.call(token);
  expect(askedOf(accountsPath)).toBe(before);
  world.pass(16_001);
  expect(reasonOf(await world.refused(token))).toBe('session_unknown');
  expect(askedOf(accountsPath)).toBe(before + 1);
});

test('a no counts for a moment, so that guessing does not reach Open WebUI every time', async () => {
  const token = await webUi.session(newcomer());
  webUi.revoke(token);
  const before = askedOf(accountsPath);
  for (let i = 0; i < 5; i++) expect(reasonOf(await world.refused(token))).toBe('session_unknown');
  expect(askedOf(accountsPath)).toBe(before + 1);
  world.pass(10_001);
  await world.refused(token);
  expect(askedOf(accountsPath)).toBe(before + 2);
});

test('a hundred requests of one new session ask once', async () => {
  world.countGroupsOfOpenWebUi(true);
  const token = await webUi.session(newcomer());
  const before = [askedOf(accountsPath), askedOf(groupsPath)];
  const found = await Promise.all(Array.from({ length: 100 }, () => world.call(token)));
  expect(new Set(found.map(({ id }) => id)).size).toBe(1);
  expect([askedOf(accountsPath), askedOf(groupsPath)]).toEqual(before.map((count) => count + 1));
});

test('an account that waits for approval there is refused', async () => {
  const account = newcomer({ role: 'pending' });
  const error = await world.refused(await webUi.session(account));
  expect(reasonOf(error)).toBe('account_pending');
  expect(error.status).toBe(401);
});

test.each([
  ['signed by somebody else', { secret: 'another-secret-another-secret-1234' }],
  ['of nobody', { claims: { id: 'nobody' } }],
])('a session %s is refused', async (_, how) => {
  expect(reasonOf(await world.refused(await webUi.session(newcomer(), how)))).toBe('session_unknown');
});

test('a session that has ended is refused without asking', async () => {
  const before = askedOf(accountsPath);
  const ended = await webUi.session(newcomer(), { claims: { exp: Math.floor(world.clock() / 1000) - 61 } });
  expect(reasonOf(await world.refused(ended))).toBe('session_expired');
  expect(askedOf(accountsPath)).toBe(before);
});

test('an answer about another account than the token names counts for nobody', async () => {
  const [mine, other] = [newcomer(), newcomer()];
  const body = { id: other.id, email: other.email, name: '', role: 'user' };
  webUi.instead = (_, response) => void response.end(JSON.stringify(body));
  expect(reasonOf(await world.refused(await webUi.session(mine)))).toBe('session_of_another');
});

test('an account whose address is none is refused', async () => {
  expect(reasonOf(await world.refused(await webUi.session(webUi.account('admin@local host'))))).toBe(
    'no_email',
  );
});

test.each([
  ['with an issuer', { claims: { iss: 'open-webui' } }, 'issuer_unknown'],
  ['that names nobody', { claims: { id: undefined } }, 'issuer_unknown'],
  ['of another algorithm', { alg: 'HS512' }, 'issuer_unknown'],
])('a token %s is no session of Open WebUI, and it is not asked', async (_, how, reason) => {
  const before = askedOf(accountsPath);
  expect(reasonOf(await world.refused(await webUi.session(newcomer(), how)))).toBe(reason);
  expect(askedOf(accountsPath)).toBe(before);
});

test('a key of another kind is none of Open WebUI', async () => {
  expect(reasonOf(await world.refused('sk-proj-0123456789abcdef'))).toBe('credential_unrecognised');
});

test('without the address of Open WebUI its sessions are nothing', async () => {
  const bare = await identityWorld();
  const account = newcomer();
  expect(reasonOf(await bare.refused(await webUi.session(account)))).toBe('issuer_unknown');
  expect(reasonOf(await bare.refused(webUi.apiKey(account)))).toBe('credential_unrecognised');
});

test('a session does not open the admin API, whatever its role there', async () => {
  const token = await webUi.session(newcomer({ role: 'admin', groups: ['MCP-Admin'] }));
  await expect(world.callAdmin(token)).rejects.toMatchObject({
    status: 401,
    detail: { reason: 'not_for_admin' },
  });
});

test.each<[string, (path: string, response: ServerResponse) => void]>([
  ['fails', (_, response) => void response.writeHead(500).end('{}')],
  ['is not there', (_, response) => void response.writeHead(404).end('{}')],
  ['cuts the line', (_, response) => void response.destroy()],
  ['redirects', (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
  ['answers with a page', (_, response) => void response.end('<html>')],
  ['answers with half an account', (_, response) => void response.end('{"id":"x","role":"user"}')],
  ['answers without end', (_, response) => void response.end(`"${'x'.repeat(1_100_000)}"`)],
])('while Open WebUI %s nobody new comes in, and is told to try again', async (_, instead) => {
  const token = await webUi.session(newcomer());
  webUi.instead = instead;
  expect(await world.refused(token)).toMatchObject({ code: 'identity_unavailable', status: 503 });
  webUi.instead = undefined;
  // It was no refusal, so nothing of it is remembered.
  expect((await world.call(token)).kind).toBe('user');
  webUi.instead = instead;
  expect((await world.call(token)).kind).toBe('user');
  world.pass(55_001);
  expect((await world.refused(token)).status).toBe(503);
});

test('groups there count when the config file says so, by name and by external id, and others are nothing', async () => {
  world.countGroupsOfOpenWebUi(true);
  const account = newcomer({ groups: ['MCP-GitHub', 'Ops', 'Unknown'] });
  const principal = await world.call(await webUi.session(account));
  expect(principal).toMatchObject({ assertedGroups: ['By-Id', 'MCP-GitHub'], assertedBy: 'open-webui' });
});

const stored = async (email: string) => {
  const { rows } = await sql<{ group_name: string; source: string }>`
    select group_name, source from mcp_proxy.memberships where user_email = ${email} order by 1`.execute(db);
  return rows;
};

test('groups that cannot be looked up leave what was known, and that ends by itself after an hour', async () => {
  world.countGroupsOfOpenWebUi(true);
  const account = newcomer({ groups: ['MCP-GitHub'] });
  const token = await webUi.session(account);
  await world.call(token);
  const github = [{ group_name: 'MCP-GitHub', source: 'open-webui' }];
  await vi.waitFor(async () => expect(await stored(account.email)).toEqual(github), 10_000);
  const { rows } = await sql<{ expires_at: Date }>`
    select expires_at from mcp_proxy.memberships where user_email = ${account.email}`.execute(db);
  expect(rows[0]!.expires_at.getTime() - world.clock()).toBeLessThanOrEqual(3_600_000);

  world.pass(6 * 60_000);
  const asked = vi.fn();
  webUi.instead = (path, response) => {
    asked(path);
    if (path === groupsPath) return void response.writeHead(500).end();
    response.end(JSON.stringify({ id: account.id, email: account.email, name: '', role: 'user' }));
  };
  expect(await world.call(token)).toMatchObject({ assertedGroups: [], assertedBy: null });
  expect(asked).toHaveBeenCalledWith(groupsPath);
  expect(await stored(account.email)).toEqual(github);
});

test('a person who left a group there leaves it here, and so does everybody when groups there stop counting', async () => {
  world.countGroupsOfOpenWebUi(true);
  const account = newcomer({ groups: ['MCP-GitHub', 'Ops'] });
  const token = await webUi.session(account);
  await world.call(token);
  await vi.waitFor(async () => expect(await stored(account.email)).toHaveLength(2), 10_000);
  account.groups = ['Ops'];
  world.pass(55_001);
  expect(await world.call(token)).toMatchObject({ assertedGroups: ['By-Id'] });
  await vi.waitFor(async () => expect(await stored(account.email)).toHaveLength(1), 10_000);
  world.countGroupsOfOpenWebUi(false);
  world.pass(55_001);
  expect(await world.call(token)).toMatchObject({ assertedGroups: [], assertedBy: 'open-webui' });
  await vi.waitFor(async () => expect(await stored(account.email)).toEqual([]), 10_000);
});

test('too many groups are as good as none known', async () => {
  world.countGroupsOfOpenWebUi(true);
  const groups = Array.from({ length: 1_001 }, (_, i) => `g${i}`);
  const principal = await world.call(await webUi.session(newcomer({ groups: ['MCP-GitHub', ...groups] })));
  expect(principal).toMatchObject({ assertedGroups: [], assertedBy: null });
});

test('a group that appears here later counts for a session that is known', async () => {
  world.countGroupsOfOpenWebUi(true);
  const token = await webUi.session(newcomer({ groups: ['Late'] }));
  expect((await world.call(token)).assertedGroups).toEqual([]);
  await sql`insert into mcp_proxy.groups (name, display_name, external_ids) values ('Late', '', '{}')`.execute(
    db,
  );
  await world.snapshot.refresh();
  expect((await world.call(token)).assertedGroups).toEqual(['Late']);
});

test('a person who is disabled here is refused with a session that is known', async () => {
  const account = newcomer();
  const token = await webUi.session(account);
  await world.call(token);
  await vi.waitFor(async () => {
    const { rows } =
      await sql`update mcp_proxy.users set disabled = true where email = ${account.email} returning source`.execute(
        db,
      );
    expect(rows).toEqual([{ source: 'open-webui' }]);
  }, 10_000);
  await world.snapshot.refresh();
  expect(reasonOf(await world.refused(token))).toBe('user_disabled');
});

test('no session stands in a log line', async () => {
  const token = await webUi.session(newcomer());
  webUi.instead = (_, response) => void response.end(token);
  const error = await world.refused(token);
  world.pass(55_001);
  webUi.instead = (_, response) => void response.end(`{"token":"${token}"`);
  await world.refused(token);
  expect(world.logs.some((line) => line.includes('Open WebUI cannot be asked'))).toBe(true);
  expect([...world.logs, JSON.stringify(error), String(error.cause)].join('\n')).not.toContain(
    token.slice(0, 30),
  );
});

test('somebody who came once does not keep the picture of then in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await world.call(await webUi.session(newcomer()));
  const then = new WeakRef(world.snapshot.current());
  await sql`insert into mcp_proxy.groups (name, display_name) values ('Later', '')`.execute(db);
  await world.snapshot.refresh();
  const isKept = () => {
    collect();
    return then.deref() !== undefined;
  };
  await expect.poll(isKept).toBe(false);
});
