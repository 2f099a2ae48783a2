import { format, inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { accountsDatabase, alice, bob, box, handClock } from '../../../test/accounts-world.ts';
import { startTokenEndpoint, type TokenEndpoint } from '../../../test/fakes/token-endpoint.ts';
import { sql } from 'kysely';
import { asOwner } from '../../../test/database.ts';
import { type Database, watchChanges } from '../../platform/db/index.ts';
import { createLog } from '../../platform/log.ts';
import { createNetGuard } from '../../platform/net-guard.ts';
import type { Level } from '../binding.ts';
import type { CredentialQuestion, FoundCredential } from '../credential.ts';
import type { ExchangeQuestion, ExchangeSettings } from './accounts.ts';
import { sealClient } from './clients/client-seal.ts';
import { putClient } from './clients/clients-store.ts';
import { createExchanges } from './exchanges.ts';

const resource = 'https://mcp.example.com/mcp';
const hour = 3_600_000;

interface WorldOptions {
  readonly kind?: ExchangeSettings['kind'];
  readonly find?: (q: CredentialQuestion) => FoundCredential | null;
  readonly allow?: readonly string[];
}

async function world({
  kind = 'token-exchange',
  find = () => secretOf('shared', 'secret of gate'),
  allow,
}: WorldOptions = {}) {
  const endpoint = await startTokenEndpoint(kind === 'token-exchange' ? 'exchange' : 'onBehalfOf');
  onTestFinished(() => endpoint.close());
  const clock = handClock();
  const database = await accountsDatabase();
  const guard = createNetGuard({ allow: allow ?? ['127.0.0.1'] });
  const log = createLog('silent');
  const changes = await watchChanges(database, { log, clock });
  onTestFinished(() => changes.close());
  const { db } = database;
  const exchanges = await createExchanges({ db, changes, log, box, vault: { find }, guard, clock });
  onTestFinished(() => exchanges.close());
  const ask = (subjectToken: string | undefined, more: Partial<ExchangeQuestion> = {}) =>
    exchanges.find({ ...questionOf(endpoint, kind), subjectToken, ...more });
  return { endpoint, clock, database, exchanges, ask };
}

function questionOf({ url: tokenUrl }: TokenEndpoint, kind: ExchangeSettings['kind']): ExchangeQuestion {
  const place = { tenant: 'acme', user: alice, server: 'notes', resource, trusted: false, elsewhere: false };
  const scopes = kind === 'on-behalf-of' ? ['api://notes/read'] : undefined;
  return { ...place, settings: { kind, tokenUrl, clientId: 'gate', scopes }, subjectToken: undefined };
}

function secretOf(owner: Level, secret: string): FoundCredential {
  return { id: 'x', owner, ownerId: null, version: '1', open: () => secret };
}

test('the token that a person came with is exchanged for one of the server, once, until it ends', async () => {
  const { endpoint, clock, ask } = await world();
  const tokens = await Promise.all(
    Array.from({ length: 10 }, async () => ask('of alice').changing!.current()),
  );
  expect(new Set(tokens)).toEqual(new Set([endpoint.tokenFor('of alice', 1)]));
  expect(endpoint.asked).toMatchObject([{ client: 'gate' }]);
  expect(endpoint.asked[0]!.form.get('resource')).toBe(resource);
  clock.forward(0.9 * hour);
  expect(ask('of alice').changing!.current()).toBe(endpoint.tokenFor('of alice', 1));
  clock.forward(0.1 * hour);
  expect(await ask('of alice, later').changing!.current()).toBe(endpoint.tokenFor('of alice, later', 1));
});

test('a connection that stays exchanges the newest token of its person', async () => {
  const { endpoint, clock, ask } = await world();
  const kept = ask('first');
  await kept.changing!.current();
  clock.forward(hour);
  expect(ask('second')).toBe(kept);
  expect(await kept.changing!.current()).toBe(endpoint.tokenFor('second', 1));
});

test('audience, resource and scopes are those of the settings', async () => {
  const { endpoint, ask } = await world();
  const settings = {
    ...{ kind: 'token-exchange' as const, tokenUrl: endpoint.url, clientId: 'gate' },
    ...{ audience: 'notes', resource: 'https://other.example.com/', scopes: ['a', 'b'] },
  };
  await ask('x', { settings }).changing!.current();
  expect(Object.fromEntries(endpoint.asked[0]!.form)).toMatchObject({
    ...{ audience: 'notes', resource: 'https://other.example.com/', scope: 'a b', subject_token: 'x' },
  });
});

test('on behalf of the user, Entra ID is asked as its documentation says', async () => {
  const { endpoint, ask } = await world({ kind: 'on-behalf-of' });
  expect(await ask('of alice').changing!.current()).toBe(endpoint.tokenFor('of alice', 1));
  expect(Object.fromEntries(endpoint.asked[0]!.form)).toEqual({
    ...{ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'of alice' },
    ...{ requested_token_use: 'on_behalf_of', scope: 'api://notes/read' },
    ...{ client_id: 'gate', client_secret: 'secret of gate' },
  });
});

test('nobody gets what was exchanged for another person, tenant, server, or without a token of their own', async () => {
  const { ask } = await world();
  const first = ask('of alice');
  const mine = await first.changing!.current();
  const others: Partial<ExchangeQuestion>[] = [
    { user: bob },
    { tenant: 'globex' },
    { tenant: null },
    { server: 'mail' },
  ];
  for (const other of [...others, { resource: 'https://other.example.com' }]) {
    const found = ask('of somebody else', other);
    expect(found).not.toBe(first);
    expect(await found.changing!.current()).not.toBe(mine);
  }
  const without = ask(undefined);
  expect(without.version).not.toBe(first.version);
  await expect(without.changing!.current()).rejects.toMatchObject({ code: 'token_exchange_needs_sign_in' });
});

test.each([
  [
    'interaction_required',
    'AADSTS50076: Due to a configuration change … Trace ID: 11-22',
    /another factor.*AADSTS50076/,
  ],
  ['invalid_grant', 'AADSTS65001: The user or administrator has not consented', /consented.*AADSTS65001/],
  ['invalid_grant', 'Token is not active', /sign in again \(invalid_grant\)/],
  ['invalid_request', 'AADSTS9010010: …', /belong together.*AADSTS9010010/],
  ['something_new', '<script>', /the token endpoint refused \(something_new\)/],
])('%s (%s) is told in words, and not asked for again at once', async (code, description, words) => {
  const { endpoint, clock, ask } = await world({ kind: 'on-behalf-of' });
  endpoint.refuse = [400, code, description];
  const refused: unknown = await Promise.resolve(ask('x').changing!.current()).catch(
    (error: unknown) => error,
  );
  expect(refused).toMatchObject({ code: 'token_exchange_failed' });
  expect(String(refused)).toMatch(words);
  expect(String(refused)).not.toMatch(/Trace ID|script/);
  await expect(ask('x').changing!.current()).rejects.toThrow();
  expect(endpoint.asked.length).toBe(1);
  endpoint.refuse = undefined;
  expect(await ask('a newer one').changing!.current()).toBe(endpoint.tokenFor('a newer one', 1));
  clock.forward(11_000);
  expect(endpoint.asked.length).toBe(2);
});

test('a token that the server refuses is got anew once', async () => {
  const { endpoint, ask } = await world();
  const { changing } = ask('x');
  const first = await changing!.current();
  expect(await changing!.refused(first)).toBe(true);
  expect(await changing!.refused(first)).toBe(true);
  const second = await changing!.current();
  expect(second).toBe(endpoint.tokenFor('x', 2));
  expect(await changing!.refused(second)).toBe(false);
  expect(endpoint.asked.length).toBe(2);
});

test('a server that does not say how long its token lasts is asked again after five minutes', async () => {
  const { endpoint, clock, ask } = await world();
  endpoint.lifetime = undefined;
  await ask('x').changing!.current();
  clock.forward(4 * 60_000);
  await ask('x').changing!.current();
  expect(endpoint.asked.length).toBe(1);
  clock.forward(60_000);
  await ask('x').changing!.current();
  expect(endpoint.asked.length).toBe(2);
});

test('the secret is the stored credential, else that of the stored client with the same id', async () => {
  const { endpoint, ask, database } = await world({ find: () => null });
  await expect(ask('x').changing!.current()).rejects.toMatchObject({ code: 'token_exchange_failed' });
  await storeClient(database);
  let tries = 0;
  // What failed is not asked for again at once, so each is another sign-in.
  await expect.poll(() => currentOf(ask(`y${++tries}`))).toBeDefined();
  await asOwner(database.db, (db) => sql`alter table mcp_proxy.oauth_clients rename to away`.execute(db));
  expect(await ask('z', { user: bob }).changing!.current()).toBe(endpoint.tokenFor('z', 1));
});

async function storeClient({ db }: Database): Promise<void> {
  const place = {
    tenant: null,
    server: 'notes',
    issuer: 'https://as.example.com',
    source: 'stored' as const,
  };
  const secret = { clientId: 'gate', secret: 'secret of gate', method: null, redirectUri: null };
  const sealed = sealClient(box, place, secret);
  await putClient(db, { ...place, clientId: 'gate', sealed, expiresAt: null, by: 'admin-token' });
}

/** The token, or nothing while there is none. */
async function currentOf({ changing }: FoundCredential): Promise<string | undefined> {
  try {
    return await changing?.current();
  } catch {
    return undefined;
  }
}

test('where a tenant has the server elsewhere, tokens of everybody’s server do not go there', async () => {
  const shared = await world();
  const settings = { ...questionOf(shared.endpoint, 'token-exchange').settings, audience: 'notes' };
  await expect(shared.ask('x', { settings, elsewhere: true }).changing!.current()).rejects.toMatchObject({
    code: 'token_exchange_failed',
  });
  expect(shared.endpoint.asked).toEqual([]);
  const own = await world({ find: () => secretOf('tenant', 'secret of gate') });
  const ofTenant = { ...questionOf(own.endpoint, 'token-exchange').settings, audience: 'notes' };
  await own.ask('x', { settings: ofTenant, elsewhere: true }).changing!.current();
});

test.each([
  ['that nobody can read', undefined, false],
  ['of everybody’s server', 'notes', false],
  ['of that address and everybody’s server', [resource, 'https://notes.example.com/mcp'], false],
  ['of an address below it', `${resource}/more`, false],
  ['of nobody', [], false],
  ['of that address alone', [resource], true],
])('asked for a tenant’s own address, a token %s goes there: %s, %s', async (_what, audience, goes) => {
  const { endpoint, ask } = await world();
  endpoint.audience = audience;
  const found = Promise.resolve(ask('x', { elsewhere: true }).changing!.current());
  if (goes) return expect(await found).toBe(endpoint.tokenFor('x', 1));
  await expect(found).rejects.toMatchObject({
    ...{ code: 'token_exchange_failed', message: expect.stringMatching(/own client secret/) as string },
  });
});

test('an address with a secret is told to no token endpoint', async () => {
  const { endpoint, ask } = await world();
  await expect(ask('x', { resource: null }).changing!.current()).rejects.toMatchObject({
    ...{ code: 'token_exchange_failed', message: expect.stringContaining('state "resource"') as string },
  });
  expect(endpoint.asked).toEqual([]);
  const settings = {
    ...questionOf(endpoint, 'token-exchange').settings,
    resource: 'https://notes.example.com/',
  };
  await ask('x', { resource: null, settings }).changing!.current();
  expect(endpoint.asked[0]!.form.get('resource')).toBe('https://notes.example.com/');
});

test('a token endpoint at a private address is asked when the operator wrote or allowed it', async () => {
  const { ask, endpoint } = await world({ allow: [] });
  await expect(ask('x').changing!.current()).rejects.toMatchObject({ code: 'token_exchange_failed' });
  expect(endpoint.asked).toEqual([]);
  expect(await ask('x', { trusted: true }).changing!.current()).toBe(endpoint.tokenFor('x', 1));
});

test('neither the token nor what it was exchanged for is printed', async () => {
  const { ask } = await world();
  const found = ask('subject-canary');
  const token = await found.changing!.current();
  const printed = `${format(found)} ${JSON.stringify(found)} ${inspect(found, { depth: 9 })}`;
  expect(printed).not.toContain('subject-canary');
  expect(printed).not.toContain(token);
  expect(() => found.open()).toThrow();
});
