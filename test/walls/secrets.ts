import * as accounts from '../../src/secrets/accounts/accounts-store.ts';
import * as endings from '../../src/secrets/accounts/endings-store.ts';
import * as attempts from '../../src/secrets/accounts/attempts-store.ts';
import * as clients from '../../src/secrets/accounts/clients/clients-store.ts';
import * as secretIssuers from '../../src/secrets/accounts/clients/secret-issuers-store.ts';
import type { Binding } from '../../src/secrets/binding.ts';
import * as imports from '../../src/secrets/import/import-store.ts';
import * as installation from '../../src/secrets/rotation/installation-store.ts';
import * as keys from '../../src/secrets/rotation/key-store.ts';
import * as refused from '../../src/secrets/rotation/refused-store.ts';
import * as sealed from '../../src/secrets/rotation/sealed-store.ts';
import * as store from '../../src/secrets/keys/store.ts';
import * as vault from '../../src/secrets/vault/vault-store.ts';
import { type Entry, operator, silent, tenant, touchesNothing } from './entry.ts';
import { masterKey, sealedOf, server, type Target } from './world.ts';

type Stores = Readonly<Record<string, Readonly<Record<string, Entry>>>>;

const name = 'default';
const ofTenant = (it: Target): Binding => ({
  ...{ tenant: it.tenant, owner: { level: 'tenant', id: it.tenant }, server, name },
});
const ofUser = (it: Target): Binding => ({
  ...{ tenant: it.tenant, owner: { level: 'user', id: it.user }, server, name },
});
const ofGroup = (it: Target): Binding => ({
  ...{ tenant: it.tenant, owner: { level: 'group', id: it.group }, server, name },
});
const all = (it: Target) => [ofTenant(it), ofUser(it), ofGroup(it)];
const taken = { sealed: sealedOf('taken'), lastFour: 'aken', updatedBy: 'mallory' };
const placeOf = (it: Target) => ({ tenant: it.tenant, user: it.user, server });
const accountOf = (it: Target) => ({
  ...{
    ...placeOf(it),
    issuer: 'https://as.example.com',
    clientId: 'taken',
    resource: 'https://mcp.example.com/',
  },
  ...{ sealed: taken.sealed, scopes: [], expiresAt: null },
});
const clientOf = (it: Target): clients.NewClient => ({
  ...{ tenant: it.tenant, server, issuer: 'https://evil.example.com', source: 'stored', clientId: 'taken' },
  ...{ sealed: taken.sealed, expiresAt: null, by: 'mallory' },
});
const [ofCredentials] = sealed.sealedTables;
if (ofCredentials === undefined) throw new Error('there are tables of sealed texts');

export const secretsStores: Stores = {
  'src/secrets/keys/store.ts': {
    listKeys: tenant(async (db, it) => [
      await store.listKeys(db, { level: 'tenant', id: it.tenant }),
      await store.listKeys(db, { level: 'group', id: it.group }),
      await store.listKeys(db, { level: 'user', id: it.user }, it.tenant),
    ]),
    putSealed: tenant((db, it) => store.putSealed(db, { ...ofTenant(it), ...taken })),
    deleteSealed: tenant(async (db, it) => {
      for (const binding of all(it)) await store.deleteSealed(db, binding);
    }),
    tenantsOfGroupKey: operator((db, it) => store.tenantsOfGroupKey(db, { group: it.group, server, name })),
    tenantExists: tenant((db, it) => store.tenantExists(db, it.tenant)),
    serverExists: silent('tenant', (db) => store.serverExists(db, server)),
    userExists: operator((db, it) => store.userExists(db, it.user)),
    groupTenant: tenant((db, it) => store.groupTenant(db, it.group)),
    countKeys: operator(async (db, it) =>
      (await store.countKeys(db)).filter((row) => row.tenant === it.tenant),
    ),
    enabledTenants: operator(async (db, it) => (await store.enabledTenants(db)).includes(it.tenant)),
  },
  'src/secrets/vault/vault-store.ts': {
    loadSealed: operator(async (db, it) => {
      const { rows } = await vault.loadSealed(db, null);
      return rows.filter((row) => row.tenant === it.tenant);
    }),
    loadIds: operator(async (db, it) => (await vault.loadIds(db)).has(it.id)),
    saveLastUsed: operator((db, it) => vault.saveLastUsed(db, new Map([[it.id, Date.now()]]))),
  },
  'src/secrets/import/import-store.ts': {
    worldOf: operator((db, it) =>
      imports.worldOf(db, { tenants: [it.tenant], groups: [it.group], users: [it.user] }),
    ),
    storedAlready: tenant((db, it) => imports.storedAlready(db, all(it))),
    putMany: tenant((db, it) =>
      imports.putMany(
        db,
        all(it).map((binding) => ({ binding, ...taken })),
        'mallory',
      ),
    ),
  },
  'src/secrets/accounts/accounts-store.ts': {
    loadChanged: operator(async (db, it) => {
      const { rows } = await accounts.loadChanged(db, null);
      return rows.filter((row) => row.tenant === it.tenant);
    }),
    loadIds: operator(async (db, it) => (await accounts.loadIds(db)).includes(it.id)),
    putAccount: tenant((db, it) => accounts.putAccount(db, accountOf(it))),
    readAccount: tenant((db, it) => accounts.readAccount(db, it.id)),
    takeLease: tenant((db, it) =>
      accounts.takeLease(db, { id: it.id, generation: 1, holder: 'mallory', seconds: 9 }),
    ),
    dropLease: tenant(async (db, it) => {
      const lease = await accounts.takeLease(db, { id: it.id, generation: 1, holder: 'mallory', seconds: 9 });
      await accounts.dropLease(db, it.id, 'mallory');
      return lease?.abandoned;
    }),
    keepLease: tenant(async (db, it) => {
      await accounts.takeLease(db, { id: it.id, generation: 1, holder: 'mallory', seconds: 9 });
      await accounts.keepLease(db, { id: it.id, generation: 1, seconds: 99 });
    }),
    putRenewed: tenant((db, it) =>
      accounts.putRenewed(db, {
        id: it.id,
        generation: 1,
        sealed: taken.sealed,
        scopes: [],
        expiresAt: null,
      }),
    ),
    putReconnect: tenant((db, it) =>
      accounts.putReconnect(db, { id: it.id, generation: 1, problem: 'taken' }),
    ),
    deleteAccount: tenant((db, it) => accounts.deleteAccount(db, placeOf(it))),
    listAccounts: tenant((db, it) => accounts.listAccounts(db, { user: it.user, limit: 100 })),
  },
  'src/secrets/accounts/endings-store.ts': {
    takeEndings: operator(async (db, it) => {
      const rows = await endings.takeEndings(db, { limit: 9, leaseSeconds: 9 });
      return rows.filter((row) => row.tenant === it.tenant);
    }),
    isConnectedAnew: tenant((db, it) =>
      endings.isConnectedAnew(db, {
        ...{ id: it.id, ...placeOf(it), issuer: 'https://as.example.com', clientId: it.canary },
        ...{ sealed: taken.sealed, tries: 1 },
      }),
    ),
    putOffEnding: tenant((db, it) => endings.putOffEnding(db, it.id, 9)),
    dropEnding: tenant((db, it) => endings.dropEnding(db, it.id)),
    sweepEndings: operator((db) => endings.sweepEndings(db, -1)),
    endedClient: tenant((db, it) =>
      endings.endedClient(db, {
        ...{ tenant: it.tenant, server, issuer: 'https://as.example.com', clientId: it.canary },
      }),
    ),
  },
  'src/secrets/accounts/attempts-store.ts': {
    putAttempt: tenant((db, it) =>
      attempts.putAttempt(db, { id: 'taken', ...placeOf(it), sealed: taken.sealed, seconds: 9, most: 1 }),
    ),
    takeAttempt: operator((db, it) => attempts.takeAttempt(db, it.text)),
    sweepAttempts: silent('operator', (db) => attempts.sweepAttempts(db)),
  },
  'src/secrets/accounts/clients/clients-store.ts': {
    findClient: tenant((db, it) => clients.findClient(db, placeOf(it), 'stored')),
    listStoredClients: tenant((db, it) => clients.listStoredClients(db, it.tenant)),
    loadStoredClients: operator(async (db, it) =>
      (await clients.loadStoredClients(db)).filter((row) => row.tenant === it.tenant),
    ),
    putClient: tenant((db, it) => clients.putClient(db, clientOf(it))),
    replaceClient: tenant((db, it) => clients.replaceClient(db, clientOf(it), it.canary)),
    deleteClients: tenant((db, it) => clients.deleteClients(db, placeOf(it))),
    forgetRegistration: operator((db) =>
      clients.forgetRegistration(db, {
        server,
        issuer: 'https://as.example.com',
        clientId: 'canary-of-the-operator',
      }),
    ),
  },
  'src/secrets/accounts/clients/secret-issuers-store.ts': {
    issuerOfSecret: operator((db) => secretIssuers.issuerOfSecret(db, { server, version: 'canary' })),
    claimSecret: operator((db) =>
      secretIssuers.claimSecret(db, { server, version: 'taken', issuer: 'https://evil.example.com' }),
    ),
    namedClient: silent('tenant', (db) => secretIssuers.namedClient(db, server)),
  },
  'src/secrets/rotation/installation-store.ts': {
    loadInstallationSecret: operator((db) => installation.loadInstallationSecret(db, 'state')),
    addInstallationSecret: operator((db, it) =>
      installation.addInstallationSecret(db, it.text, taken.sealed),
    ),
  },
  'src/secrets/rotation/key-store.ts': {
    loadKeys: operator((db) => keys.loadKeys(db)),
    designateFirst: silent('operator', (db) => keys.designateFirst(db, masterKey)),
    lockRotation: touchesNothing,
    designate: operator((db) => keys.designate(db, masterKey)),
    knowKey: operator((db) => keys.knowKey(db, 'ffffffff')),
    lockKey: operator((db) => keys.lockKey(db, masterKey)),
    markRetired: operator(async (db) => {
      await keys.knowKey(db, 'ffffffff');
      await keys.markRetired(db, 'ffffffff');
      return (await keys.loadKeys(db)).map(({ retiredAt }) => retiredAt !== null);
    }),
    takeLease: operator((db) => keys.takeLease(db, masterKey, 'mallory', 9)),
    dropLease: silent('operator', (db) => keys.dropLease(db, masterKey, 'mallory')),
    isLeased: operator(async (db) => {
      await keys.takeLease(db, masterKey, 'mallory', 9);
      return keys.isLeased(db);
    }),
  },
  'src/secrets/rotation/refused-store.ts': {
    recordRefused: tenant((db, it) =>
      refused.recordRefused(db, { binding: ofTenant(it), digest: it.text, reason: 'taken' }),
    ),
  },
  'src/secrets/rotation/sealed-store.ts': {
    countSealed: operator((db) => sealed.countSealed(db)),
    textsWithout: operator((db) => sealed.textsWithout(db, [], 100)),
    textsLeft: operator((db) => sealed.textsLeft(db, { current: 'ffffffff', held: [masterKey], limit: 100 })),
    lockLeft: operator((db) =>
      sealed.lockLeft(db, ofCredentials, { current: 'ffffffff', held: [masterKey], after: null, limit: 100 }),
    ),
    replaceSealed: operator((db, it) =>
      sealed.replaceSealed(db, ofCredentials, [{ id: it.id, sealed: taken.sealed }]),
    ),
    deleteSealedUnder: operator((db) => sealed.deleteSealedUnder(db, masterKey, 100)),
  },
};
