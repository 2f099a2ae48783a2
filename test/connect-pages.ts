// The pages on which people connect accounts, with the sign-in pages beside them and accounts that tests make up.
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { connectMount, type OwnKeyPlace } from '../src/gateway/connect/account-routes.ts';
import { createConnectLinks } from '../src/gateway/connect/links.ts';
import type { Browser } from '../src/identity/index.ts';
import type { AppError } from '../src/platform/errors.ts';
import type { Mount } from '../src/platform/http/server.ts';
import { createSealer } from '../src/platform/sealer.ts';
import { browserWorld } from './browser-world.ts';
import { gatewayWorld, type Picture } from './gateway-world.ts';
import { stubAccounts } from './stub-accounts.ts';
import type { Visit, WebClient } from './web-client.ts';

let mount: Mount | undefined;
let browser: Browser | undefined;
export const site = await browserWorld({
  more: (found) => {
    browser = found;
    return [
      { takes: (path) => mount?.takes(path) ?? false, serve: (...request) => mount?.serve(...request) },
    ];
  },
});

export const alice = 'alice@acme.com';
export const bob = 'bob@acme.com';
const account = { kind: 'oauth' };
const remote = { type: 'http', url: 'http://127.0.0.1:9/mcp' };
export const evil = '<img src=x onerror=alert(1)>"\'';

const picture: Picture = {
  servers: {
    github: { ...remote, displayName: 'GitHub', description: 'Code and issues.', account },
    wiki: { ...remote, headers: { Authorization: 'Bearer ${credential}', 'X-App': '${credential:app}' } },
    evil: { ...remote, displayName: evil, description: evil, account },
    plain: remote,
    others: { ...remote, account },
    secret: { ...remote, url: 'http://127.0.0.1:9/${env:PATH}', account },
    exchanged: {
      ...remote,
      account: { kind: 'token-exchange', tokenUrl: 'https://as.example/token', clientId: 'x' },
    },
  },
  tenants: { acme: {}, bolt: {} },
  groups: {
    all: { servers: ['github', 'wiki', 'evil', 'plain', 'exchanged'] },
    few: { servers: ['github'] },
    secrets: { servers: ['secret'] },
    a: { tenant: 'acme' },
    b: { tenant: 'bolt' },
  },
  users: {
    [alice]: { groups: ['all'] },
    [bob]: { groups: ['few'] },
    'sam@acme.com': { groups: ['secrets'] },
    'tom@acme.com': { groups: ['all', 'a', 'b'] },
  },
};

export async function world(o: { secrets?: Record<string, string> } = {}) {
  const accounts = stubAccounts();
  const sealingKey = randomBytes(32);
  const { gateway } = await gatewayWorld(picture, { accounts, sealingKey, ...o });
  const { gate } = gateway;
  const stored: { place: OwnKeyPlace; value: string | null; by: string }[] = [];
  const keys = {
    failing: undefined as AppError | undefined,
    set: async (place: OwnKeyPlace, value: string, { id }: { id: string }) => {
      if (keys.failing) throw keys.failing;
      stored.push({ place, value, by: id });
    },
    remove: async (place: OwnKeyPlace, { id }: { id: string }) =>
      void stored.push({ place, value: null, by: id }),
  };
  if (!browser) throw new Error('browserWorld made none');
  mount = connectMount({ gate, browser, keys, publicUrl: site.origin, log: site.log });
  const pathOf = (url: string) => new URL(url).pathname + new URL(url).search;
  const link = (user: string, server = 'github', tenant: string | null = null) =>
    pathOf(gate.connect.links.urlFor({ user, tenant, server }));
  /** Links as they were made some time ago. */
  const oldLink = (minutes: number) => {
    const sealer = createSealer(sealingKey, 'connect-link');
    const clock = () => Date.now() - minutes * 60_000;
    const links = createConnectLinks({ publicUrl: site.origin, sealer, clock });
    return pathOf(links.urlFor({ user: alice, tenant: null, server: 'github' }));
  };
  return { accounts, gate, stored, keys, link, oldLink };
}

/** A browser in which this person has signed in. */
export async function signedIn(user: string): Promise<WebClient> {
  const client = site.client();
  await sql`insert into mcp_proxy.users (email) values (${user}) on conflict do nothing`.execute(site.db);
  client.cookies.set('toolgate_session', await site.signInAs(user));
  return client;
}

/** The first link on the page with these words. */
export function linkNamed({ text }: Visit, label: string): string {
  const [, href = ''] = new RegExp(`href="([^"]+)">${label}<`).exec(text) ?? [];
  return href.replaceAll('&#38;', '&');
}
