import { sql } from 'kysely';
import type { ClientMetadata } from 'oidc-provider';
import { expect, test } from 'vitest';
import {
  accountServer,
  accountsDatabase,
  alice,
  bob,
  box,
  connect,
  handClock,
  oauthServer,
  openAccounts,
  publicUrl,
  redirectUri,
  redirectUriAt,
} from '../../../../test/accounts-world.ts';
import type { Database } from '../../../platform/db/index.ts';
import type { FoundCredential } from '../../credential.ts';
import { sealClient } from './client-seal.ts';
import { putClient } from './clients-store.ts';

const hour = 3_600_000;

function byHand(
  id: string,
  method: 'client_secret_basic' | 'client_secret_post' | 'none' = 'client_secret_basic',
): ClientMetadata {
  const secret = method === 'none' ? {} : { client_secret: `secret of ${id} & co` };
  return {
    ...{ client_id: id, redirect_uris: [redirectUri], token_endpoint_auth_method: method, ...secret },
    grant_types: ['authorization_code', 'refresh_token'],
  };
}

async function store(
  { db }: Pick<Database, 'db'>,
  issuer: string,
  clientId: string,
  o: { tenant?: string | null; secret?: string } = {},
): Promise<void> {
  const place = { tenant: o.tenant ?? null, server: 'notes', issuer, source: 'stored' as const };
  const secret = {
    clientId,
    secret: o.secret ?? `secret of ${clientId} & co`,
    method: null,
    redirectUri: null,
  };
  const sealed = sealClient(box, place, secret);
  await putClient(db, { ...place, clientId, sealed, expiresAt: null, by: 'admin-token' });
}

function credential(secret: string, version = '1'): FoundCredential {
  return { id: 'x', owner: 'shared', ownerId: null, version, open: () => secret };
}

async function clientIdOf(
  { accounts }: Pick<Awaited<ReturnType<typeof openAccounts>>, 'accounts'>,
  server: ReturnType<typeof accountServer>,
  tenant: string | null = 'acme',
): Promise<string | null> {
  const { url } = await accounts.begin({ tenant, user: alice, server, returnTo: '/' });
  return new URL(url).searchParams.get('client_id');
}

test('the gate registers itself once, for everybody and all replicas', async () => {
  const database = await accountsDatabase();
  const [here, there] = [await openAccounts(database), await openAccounts(database)];
  const server = await oauthServer();
  const ids = await Promise.all(
    [here, there, here, there].map((one) => clientIdOf(one, accountServer(server))),
  );
  await connect(here, server);
  await connect(there, server, { user: bob, tenant: 'globex' });
  expect(new Set(ids).size).toBe(1);
  expect(server.registered.length).toBeLessThanOrEqual(2);
  const known = await server.provider.Client.find(ids[0]!);
  expect(known?.metadata()).toMatchObject({
    ...{
      client_name: 'Toolgate',
      redirect_uris: [redirectUriAt(server)],
      token_endpoint_auth_method: 'none',
    },
    ...{ grant_types: ['authorization_code', 'refresh_token'], application_type: 'web' },
  });
});

test('a gate on this machine registers as a native client, whose redirect goes to this machine', async () => {
  const here = await openAccounts(await accountsDatabase(), { publicUrl: 'http://localhost:8085' });
  const server = await oauthServer();
  const { authorization } = await connect(here, server);
  expect(authorization.searchParams.get('redirect_uri')).toBe(redirectUriAt(server, 'http://localhost:8085'));
  const known = await server.provider.Client.find(authorization.searchParams.get('client_id')!);
  expect(known?.applicationType).toBe('native');
});

test('where the authorization server takes metadata documents, the address of ours is the client', async () => {
  const here = await openAccounts(await accountsDatabase());
  const documents = new Map<string, () => unknown>();
  const server = await oauthServer({ documents });
  const mark = redirectUriAt(server).split('/').at(-1);
  const path = `/gateway/oauth/client-metadata/${mark}.json`;
  const id = `${publicUrl}${path}`;
  documents.set(id, () => here.accounts.clientMetadata(path));
  const { authorization, question } = await connect(here, server);
  expect(authorization.searchParams.get('client_id')).toBe(id);
  expect(server.registered).toEqual([]);
  expect(await server.whoHas(await here.accounts.find(question)!.changing!.current())).toBe(alice);
  const local = await openAccounts(await accountsDatabase(), { publicUrl: 'http://localhost:8085' });
  expect(local.accounts.clientMetadata(path)).toBeNull();
  expect(await clientIdOf(local, accountServer(server))).not.toBe(id);
});

test.each(['client_secret_basic', 'client_secret_post', 'none'] as const)(
  'a client that an administrator stored is used, with %s',
  async (method) => {
    const database = await accountsDatabase();
    const clock = handClock();
    const here = await openAccounts(database, { clock });
    const server = await oauthServer({
      clients: [byHand('stored', method)],
      metadata: (document) => {
        document['token_endpoint_auth_methods_supported'] = [method];
      },
    });
    await store(database, server.issuer, 'stored');
    if (method === 'none') await sql`update mcp_proxy.oauth_clients set sealed = null`.execute(database.db);
    const { question } = await connect(here, server);
    expect(server.registered).toEqual([]);
    clock.forward(hour);
    expect(await server.whoHas(await here.accounts.find(question)!.changing!.current())).toBe(alice);
    expect(server.posted.map(({ authorization }) => authorization?.split(' ')[0])).toEqual(
      Array.from({ length: 2 }, () => (method === 'client_secret_basic' ? 'Basic' : undefined)),
    );
  },
);

test('the tenant’s own client comes before everybody’s, and that before the one of the definition', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database, { find: () => credential('x') });
  const server = await oauthServer({ clients: [byHand('all'), byHand('own')] });
  const configured = accountServer(server, { clientId: 'configured' });
  expect(await clientIdOf(here, configured)).toBe('configured');
  await store(database, server.issuer, 'all');
  expect(await clientIdOf(here, configured)).toBe('all');
  await store(database, server.issuer, 'own', { tenant: 'acme' });
  expect(await clientIdOf(here, configured)).toBe('own');
  expect(await clientIdOf(here, configured, 'globex')).toBe('all');
  expect(await clientIdOf(here, configured, null)).toBe('all');
  expect(server.registered).toEqual([]);
});

test('a client of the definition has the secret that is stored as a credential, as it is at the moment', async () => {
  const clock = handClock();
  let secret = 'wrong';
  const here = await openAccounts(await accountsDatabase(), { clock, find: () => credential(secret) });
  const server = await oauthServer({ clients: [byHand('configured')] });
  const settings = { clientId: 'configured', issuer: server.issuer };
  await expect(connect(here, server, { settings })).rejects.toMatchObject({ code: 'account_client_refused' });
  secret = 'secret of configured & co';
  const { question } = await connect(here, server, { settings });
  secret = 'expired';
  clock.forward(hour);
  const { changing } = here.accounts.find(question)!;
  await expect(changing!.current()).rejects.toMatchObject({ code: 'account_client_refused' });
  expect(here.accounts.stateOf(question).state).toBe('connected');
  secret = 'secret of configured & co';
  clock.forward(11_000);
  expect(await server.whoHas(await changing!.current())).toBe(alice);
});

test('no client is shown to any authorization server but its own', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database, { find: () => credential('secret') });
  const server = await oauthServer();
  const evil = await oauthServer();
  await store(database, server.issuer, 'stored');
  await expect(clientIdOf(here, accountServer(evil))).rejects.toMatchObject({
    code: 'account_client_elsewhere',
  });
  // A tenant's own address may well be another one, where everybody's client is not known.
  expect(await clientIdOf(here, accountServer(evil, {}, { elsewhere: true }))).toBe(evil.registered[0]);
  await store(database, server.issuer, 'own', { tenant: 'acme' });
  await expect(clientIdOf(here, accountServer(evil, {}, { elsewhere: true }))).rejects.toMatchObject({
    code: 'account_client_elsewhere',
  });
});

test('a client of the definition stays with the authorization server where it was used first', async () => {
  let version = '1';
  const here = await openAccounts(await accountsDatabase(), { find: () => credential('secret', version) });
  const [first, evil] = [await oauthServer(), await oauthServer()];
  const settings = { clientId: 'configured' };
  // What a tenant points the server at has no say in it.
  expect(await clientIdOf(here, accountServer(evil, settings, { elsewhere: true }))).toBe(evil.registered[0]);
  expect(await clientIdOf(here, accountServer(first, settings))).toBe('configured');
  await expect(clientIdOf(here, accountServer(evil, settings))).rejects.toMatchObject({
    code: 'account_client_elsewhere',
  });
  const another = accountServer(evil, { clientId: 'another' });
  await expect(clientIdOf(here, another)).rejects.toMatchObject({ code: 'account_client_elsewhere' });
  version = '2';
  expect(await clientIdOf(here, another)).toBe('another');
});

test('a stored secret that was moved in the database is refused', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database);
  const evil = await oauthServer({ clients: [byHand('stored')] });
  await store(database, 'https://honest.example.com', 'stored');
  await sql`update mcp_proxy.oauth_clients set issuer = ${evil.issuer}`.execute(database.db);
  await expect(clientIdOf(here, accountServer(evil))).rejects.toMatchObject({
    code: 'credential_unreadable',
  });
});

test.each(['none', 'gated'] as const)(
  'where nobody may register (%s), the message says what to register by hand',
  async (registration) => {
    const { accounts } = await openAccounts(await accountsDatabase());
    const server = await oauthServer({ registration });
    const refused: unknown = await clientIdOf({ accounts }, accountServer(server)).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: 'account_client_needed' });
    const { message } = refused as Error;
    for (const part of [server.issuer, redirectUri, 'PUT /oauth-clients/notes'])
      expect(message).toContain(part);
  },
);

test('a registration is made again when its secret ends, and when the gate moves', async () => {
  const database = await accountsDatabase();
  const clock = handClock();
  const here = await openAccounts(database, { clock });
  const server = await oauthServer({
    metadata: (document) => {
      document['token_endpoint_auth_methods_supported'] = ['client_secret_basic'];
    },
  });
  const { question } = await connect(here, server);
  expect(server.registered.length).toBe(1);
  await sql`update mcp_proxy.oauth_clients set expires_at = now() - interval '1 second'`.execute(database.db);
  expect(await clientIdOf(here, accountServer(server))).toBe(server.registered[1]);
  // Who connected before goes on as the client that the tokens were issued to.
  clock.forward(hour);
  expect(await server.whoHas(await here.accounts.find(question)!.changing!.current())).toBe(alice);
  const moved = await openAccounts(database, { clock, publicUrl: 'https://new.example.com' });
  expect(await clientIdOf(moved, accountServer(server))).toBe(server.registered[2]);
});

test('a registration that the authorization server has forgotten is made again', async () => {
  const clock = handClock();
  const here = await openAccounts(await accountsDatabase(), { clock });
  const server = await oauthServer();
  const { question } = await connect(here, server);
  await server.forgetClient(server.registered[0]!);
  clock.forward(hour);
  await expect(here.accounts.find(question)!.changing!.current()).rejects.toMatchObject({
    code: 'account_reconnect',
  });
  await connect(here, server);
  expect(server.registered.length).toBe(2);
  expect(await server.whoHas(await here.accounts.find(question)!.changing!.current())).toBe(alice);
});

test('when the gate’s stored client is another one, people connect again', async () => {
  const database = await accountsDatabase();
  const clock = handClock();
  const here = await openAccounts(database, { clock });
  const server = await oauthServer({ clients: [byHand('old'), byHand('new')] });
  await store(database, server.issuer, 'old');
  const { question } = await connect(here, server);
  await store(database, server.issuer, 'new');
  clock.forward(hour);
  await expect(here.accounts.find(question)!.changing!.current()).rejects.toMatchObject({
    code: 'account_reconnect',
  });
  expect(server.usedRefreshTokens).toEqual([]);
});
