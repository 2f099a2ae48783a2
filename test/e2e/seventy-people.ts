// Who uses the 70 servers, the config file that says so, and what is not in it: keys and accounts.
// Knows nothing of a test framework.
import { randomBytes } from 'node:crypto';
import { openDatabase } from '../../src/platform/db/index.ts';
import { createLog } from '../../src/platform/log.ts';
import { putAccount } from '../../src/secrets/accounts/accounts-store.ts';
import { sealAccount } from '../../src/secrets/accounts/tokens.ts';
import { MasterKey } from '../../src/secrets/master-keys/master-key.ts';
import { createSecretBox } from '../../src/secrets/sealing/secret-box.ts';
import type { Program } from './program.ts';
import { type KeySet, type SeventyServer, tokenOf } from './seventy-servers.ts';

export interface Person {
  readonly email: string;
  readonly group: string;
  readonly set: KeySet;
  /** What the group may use: of which servers, by their places, which tools. */
  readonly grants: { readonly isGranted: (at: number) => boolean; readonly patterns: readonly string[] };
}

const everything = { isGranted: () => true, patterns: ['*'] };
const ofTenants = { isGranted: (at: number) => at % 2 === 0, patterns: ['*'] };

export const people = {
  root: { email: 'root@acme.com', group: 'MCP-Admin', set: 'shared', grants: everything },
  nora: { email: 'nora@north.example', group: 'Tenant-North', set: 'north', grants: ofTenants },
  sam: { email: 'sam@south.example', group: 'Tenant-South', set: 'south', grants: ofTenants },
  ruth: {
    ...{ email: 'ruth@acme.com', group: 'Readers', set: 'shared' },
    grants: { isGranted: (at) => at % 3 === 0, patterns: ['get_*', 'list_*'] },
  },
  will: {
    ...{ email: 'will@acme.com', group: 'Writers', set: 'shared' },
    grants: { isGranted: (at) => at % 4 === 1, patterns: ['*', '!delete_*', '!search_*'] },
  },
  eve: {
    ...{ email: 'eve@acme.com', group: 'Desk', set: 'shared' },
    grants: { isGranted: (at) => at % 5 < 2, patterns: ['*_ticket?', '*_users', '!?elete_*'] },
  },
} as const satisfies Record<string, Person>;
export type Name = keyof typeof people;
export const everybody: readonly Person[] = Object.values(people);

const admins = people.root.group;
const masterKey = randomBytes(32);

/** The settings that go with `accountsOf`. */
export const environment = { TOOLGATE_MASTER_KEY: masterKey.toString('base64') };

export function configOf(servers: readonly SeventyServer[]): object {
  const tenantOf = (set: KeySet) => ({
    variables: Object.fromEntries(
      servers
        .filter(({ at }) => ofTenants.isGranted(at))
        .map((server) => [server.id, server.valuesOf(set)] as const)
        .filter(([, values]) => Object.keys(values).length > 0),
    ),
  });
  const groups = everybody
    .filter(({ group }) => group !== admins)
    .map(({ group, set, grants }) => {
      const granted = servers.filter(({ at }) => grants.isGranted(at)).map(({ id }) => [id, grants.patterns]);
      return [group, { ...(set !== 'shared' && { tenant: set }), servers: Object.fromEntries(granted) }];
    });
  return {
    mcpServers: Object.fromEntries(servers.map(({ id, definition }) => [id, definition])),
    tenants: { north: tenantOf('north'), south: tenantOf('south') },
    groups: { [admins]: { admin: true }, ...Object.fromEntries(groups) },
    users: Object.fromEntries(everybody.map(({ email, group }) => [email, { groups: [group] }])),
    network: { allow: ['127.0.0.0/8'] },
  };
}

/** Keys for everybody, and keys of its own for each tenant: through the admin API, one import. */
export async function storeKeys(gate: Program, servers: readonly SeventyServer[]): Promise<number> {
  const rows = (['shared', 'north', 'south'] as const).flatMap((set) =>
    servers
      .filter(({ at }) => set === 'shared' || ofTenants.isGranted(at))
      .flatMap((server) =>
        Object.entries(server.keysOf(set)).map(([name, value]) => {
          const owner = set === 'shared' ? ['shared', '', ''] : ['tenant', set, set];
          return [...owner, server.id, name, value].join(',');
        }),
      ),
  );
  const text = ['level,owner,tenant,server,name,value', ...rows].join('\n');
  const { status, body } = await gate.admin('POST', '/keys/import', { format: 'csv', text });
  if (status !== 200 || body.stored !== rows.length) throw new Error(JSON.stringify(body));
  return rows.length;
}

/** Accounts as they lie in the database once somebody has connected them: sealed by the code that seals them there. */
export async function storeAccounts(databaseUrl: string, servers: readonly SeventyServer[]): Promise<void> {
  const log = createLog('silent');
  const database = await openDatabase({ url: databaseUrl, dataDir: '', log });
  const box = createSecretBox(new MasterKey(masterKey));
  const issuer = 'https://sign-in.example';
  try {
    for (const { email: user, set, grants } of everybody) {
      for (const server of servers.filter(({ at }) => grants.isGranted(at))) {
        const resource = server.resourceOf(set);
        if (resource === undefined) continue;
        const place = { tenant: set === 'shared' ? null : set, user, server: server.id };
        const sealed = sealAccount(box, place, {
          ...{ issuer, resource, indicator: resource, trustedOrigin: null, scopes: [], why: 'connect' },
          client: { source: 'registered', id: 'gate', tenant: null, secret: null, method: 'none' },
          ...{ accessToken: tokenOf(server.id, user), refreshToken: null },
          ...{ obtainedAt: Date.now(), expiresAt: null },
        });
        await putAccount(database.db, {
          ...{ ...place, issuer, clientId: 'gate', resource, sealed, scopes: [], expiresAt: null },
        });
      }
    }
  } finally {
    await database.close();
  }
}

/** The merged names of what a person may use of these servers: the rule of the patterns, written a second time. */
export function toolsOf(person: Person, servers: readonly SeventyServer[]): string[] {
  const { isGranted, patterns } = person.grants;
  const matches = (pattern: string, tool: string) =>
    new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(tool);
  const may = (tool: string) =>
    patterns.some((one) => !one.startsWith('!') && matches(one, tool)) &&
    !patterns.some((one) => one.startsWith('!') && matches(one.slice(1), tool));
  return servers
    .filter(({ at }) => isGranted(at))
    .flatMap(({ id, tools }) => tools.filter(may).map((tool) => `${id}__${tool}`))
    .sort();
}
