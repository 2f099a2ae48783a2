import * as file from '../../src/access/file-store.ts';
import { serverDefinition } from '../../src/access/contract.ts';
import * as groups from '../../src/access/groups-store.ts';
import * as servers from '../../src/access/servers-store.ts';
import * as snapshot from '../../src/access/snapshot-store.ts';
import * as tenants from '../../src/access/tenants-store.ts';
import * as users from '../../src/access/users-store.ts';
import { type Entry, silent, operator, tenant, touchesNothing } from './entry.ts';
import { server } from './world.ts';

type Stores = Readonly<Record<string, Readonly<Record<string, Entry>>>>;

const definition = serverDefinition.parse({ type: 'http', url: 'https://other.example.com/' });
const everything = { limit: 100 };
const url = 'https://taken.example.com/';
const tools = ['taken'];

export const accessStores: Stores = {
  'src/access/tenants-store.ts': {
    listTenants: operator((db) => tenants.listTenants(db, everything)),
    findTenant: tenant((db, it) => tenants.findTenant(db, it.tenant)),
    shownTenant: touchesNothing,
    insertTenant: operator((db, it) =>
      tenants.insertTenant(db, {
        id: it.tenant,
        displayName: 'taken',
        emailDomains: [],
        enabled: true,
      } as never),
    ),
    updateTenant: operator((db, it) => tenants.updateTenant(db, it.tenant, { displayName: 'taken' })),
    deleteTenant: operator((db, it) => tenants.deleteTenant(db, it.tenant)),
    putEndpoint: tenant((db, it) => tenants.putEndpoint(db, it.tenant, server, url)),
    deleteEndpoint: tenant((db, it) => tenants.deleteEndpoint(db, it.tenant, server)),
    putVariables: tenant((db, it) => tenants.putVariables(db, it.tenant, server, { HOST: 'taken' })),
    deleteVariables: tenant((db, it) => tenants.deleteVariables(db, it.tenant, server)),
  },
  'src/access/servers-store.ts': {
    // Servers are nobody's secret.
    listServers: silent('tenant', (db) => servers.listServers(db, everything)),
    findServer: silent('tenant', (db) => servers.findServer(db, server)),
    insertServer: operator((db, it) => servers.insertServer(db, it.text.slice(0, 24), definition)),
    updateServer: operator((db) => servers.updateServer(db, server, { definition, managedBy: 'admin' })),
    reinstallServer: operator((db) =>
      servers.reinstallServer(db, server, { definition, origin: {} as never }),
    ),
    listInstalled: silent('tenant', (db) => servers.listInstalled(db)),
    deleteServer: operator((db) => servers.deleteServer(db, server)),
    viewOf: touchesNothing,
  },
  'src/access/groups-store.ts': {
    listGroups: operator((db) => groups.listGroups(db, { ...everything, search: 'acme' })),
    findGroup: operator((db, it) => groups.findGroup(db, it.group)),
    insertGroup: operator((db, it) =>
      groups.insertGroup(db, {
        name: it.group,
        admin: true,
        tenant: null,
        externalIds: [],
        toolOverrides: {},
      }),
    ),
    updateGroup: operator((db, it) => groups.updateGroup(db, it.group, { admin: true })),
    deleteGroup: operator((db, it) => groups.deleteGroup(db, it.group)),
    putGroupGrant: operator((db, it) => groups.putGroupGrant(db, it.group, server, tools)),
    deleteGroupGrant: operator((db, it) => groups.deleteGroupGrant(db, it.group, server)),
  },
  'src/access/users-store.ts': {
    listUsers: operator((db) => users.listUsers(db, everything)),
    findUser: operator((db, it) => users.findUser(db, it.user)),
    lockUsers: silent('operator', (db, it) => users.lockUsers(db, [it.user])),
    insertUser: operator((db, it) => users.insertUser(db, it.user, 'taken')),
    updateUser: operator((db, it) => users.updateUser(db, it.user, { disabled: true })),
    addMembership: operator((db, it) => users.addMembership(db, it.user, 'MCP-Admin')),
    removeMembership: operator((db, it) => users.removeMembership(db, it.user, it.group)),
    putUserGrant: operator((db, it) => users.putUserGrant(db, it.user, server, tools)),
    deleteUserGrant: operator((db, it) => users.deleteUserGrant(db, it.user, server)),
  },
  'src/access/file-store.ts': {
    appliedEntries: operator((db) => file.appliedEntries(db)),
    saveEntry: operator((db, it) => file.saveEntry(db, 'tenant', it.tenant, 'taken')),
    forgetEntry: operator((db, it) => file.forgetEntry(db, 'tenant', it.tenant)),
    putServer: operator((db) => file.putServer(db, server, definition)),
    putTenant: operator((db, it) =>
      file.putTenant(db, it.tenant, { emailDomains: [], enabled: false } as never),
    ),
    setEndpoints: operator((db, it) => file.setEndpoints(db, it.tenant, { [server]: url } as never)),
    setVariables: operator((db, it) => file.setVariables(db, it.tenant, { [server]: { HOST: 'taken' } })),
    putGroup: operator((db, it) => file.putGroup(db, it.group, { admin: true, externalIds: [] } as never)),
    setGroupGrants: operator((db, it) => file.setGroupGrants(db, it.group, {})),
    putUser: operator((db, it) => file.putUser(db, it.user, { disabled: true } as never)),
    setMemberships: operator((db, it) => file.setMemberships(db, it.user, ['MCP-Admin'])),
    setUserGrants: operator((db, it) => file.setUserGrants(db, it.user, {})),
    deleteUnusedUser: operator((db, it) => file.deleteUnusedUser(db, it.user.replace('alice', 'unused'))),
  },
  'src/access/snapshot-store.ts': {
    // Servers are nobody's secret: each tenant's work may look at them.
    snapshotRows: operator(async (db) => ({ ...(await snapshot.snapshotRows(db)), servers: [] })),
  },
  'src/access/store-lock.ts': { lockWrites: touchesNothing },
  'src/access/store-time.ts': { iso: touchesNothing },
};
