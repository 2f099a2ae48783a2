// The four sections of the config file that become records, in the order in which they depend on each other.
import type { Db } from '../platform/db/index.ts';
import type { AccessFile } from './contract.ts';
import * as file from './file-store.ts';
import { deleteGroup, findGroup } from './groups-store.ts';
import { deleteServer, findServer, viewOf } from './servers-store.ts';
import { deleteTenant, findTenant, shownTenant } from './tenants-store.ts';
import { findUser } from './users-store.ts';

/** A record as it is stored: what of it can differ, what of it may be shown, and whether the file keeps it. */
export interface Found {
  readonly state: Readonly<Record<string, unknown>>;
  readonly shown: unknown;
  readonly fromFile: boolean;
}

export interface FileRecord {
  readonly record: file.RecordKind;
  /** The entries of the section, each with the function that brings it into the tables. */
  entries(from: AccessFile): Entry[];
  find(trx: Db, id: string): Promise<Found | undefined>;
  /** Takes away what the file gave. */
  remove(trx: Db, id: string): Promise<void>;
}

export interface Entry {
  readonly id: string;
  readonly content: unknown;
  put(trx: Db): Promise<void>;
}

const servers: FileRecord = {
  record: 'server',
  entries: ({ mcpServers }) => listed(mcpServers, file.putServer),
  async find(trx, id) {
    const server = await findServer(trx, id);
    if (server === undefined) return undefined;
    const { managedBy, definition } = server;
    return { state: { ...definition, managedBy }, shown: viewOf(server), fromFile: managedBy === 'file' };
  },
  remove: deleteServer,
};

const tenants: FileRecord = {
  record: 'tenant',
  entries: (from) =>
    listed(from.tenants, async (trx, id, entry) => {
      await file.putTenant(trx, id, entry);
      await file.setEndpoints(trx, id, entry.endpoints);
      await file.setVariables(trx, id, entry.variables ?? {});
    }),
  async find(trx, id) {
    const tenant = await findTenant(trx, id);
    return tenant && { state: tenant, shown: shownTenant(tenant), fromFile: tenant.managedBy === 'file' };
  },
  remove: deleteTenant,
};

const groups: FileRecord = {
  record: 'group',
  entries: (from) =>
    listed(from.groups, async (trx, name, entry) => {
      await file.putGroup(trx, name, entry);
      await file.setGroupGrants(trx, name, entry.servers);
    }),
  async find(trx, name) {
    const group = await findGroup(trx, name);
    return group && { state: { ...group }, shown: group, fromFile: group.managedBy === 'file' };
  },
  remove: deleteGroup,
};

const users: FileRecord = {
  record: 'user',
  entries: (from) =>
    listed(from.users, async (trx, email, entry) => {
      await file.putUser(trx, email, entry);
      await file.setMemberships(trx, email, entry.groups);
      await file.setUserGrants(trx, email, entry.servers);
    }),
  async find(trx, email) {
    const user = await findUser(trx, email);
    return user && { state: { ...user }, shown: user, fromFile: true };
  },
  async remove(trx, email) {
    await file.setMemberships(trx, email, []);
    await file.setUserGrants(trx, email, {});
    await file.deleteUnusedUser(trx, email);
  },
};

export const fileRecords: readonly FileRecord[] = [servers, tenants, groups, users];

function listed<Content>(
  section: Readonly<Record<string, Content>>,
  put: (trx: Db, id: string, content: Content) => Promise<void>,
): Entry[] {
  return Object.entries(section).map(([id, content]) => ({
    id,
    content,
    put: (trx) => put(trx, id, content),
  }));
}
