import { expect, test } from 'vitest';
import {
  accountsDatabase,
  connect,
  oauthServer,
  openAccounts,
  redirectUri,
  publicUrl,
} from '../../../../test/accounts-world.ts';
import { register } from './register.ts';
import type { SignInServer } from './server-metadata.ts';

// What some servers say where they mean "never", and what others say in milliseconds: no database has such dates.
const never = 2 ** 63;

test('an account whose token lasts longer than any date is connected, and its token is used', async () => {
  const here = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  server.provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === '/token') Object.assign(ctx.body as object, { expires_in: never });
  });
  const { question } = await connect(here, server);
  expect(here.accounts.stateOf(question)).toMatchObject({ state: 'connected' });
  const token = await here.accounts.find(question)!.changing!.current();
  expect(await server.whoHas(token)).toBe('alice@acme.com');
});

test('a client whose secret lasts longer than any date is registered', async () => {
  const answer = { client_id: 'gate', client_secret: 'a secret', client_secret_expires_at: never };
  const fetch = { fetch: async () => Response.json(answer, { status: 201 }) };
  const server = {
    issuer: 'https://as.acme.com',
    registration_endpoint: 'https://as.acme.com/register',
  } as SignInServer;
  const registration = await register(fetch, server, { publicUrl, redirectUri }, null);
  const expiresAt = 'registered' in registration ? registration.expiresAt : null;
  // The last year that both JavaScript and PostgreSQL can print and read.
  expect(new Date(expiresAt ?? Number.NaN).getUTCFullYear()).toBeLessThanOrEqual(9999);
});
