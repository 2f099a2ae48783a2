import { sql } from 'kysely';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { asOwner, testDatabase } from '../../test/database.ts';
import type { Db } from '../platform/db/index.ts';
import { applyFile, type Change, planFile } from './apply-file.ts';
import { accessFile } from './contract.ts';
import { findGroup } from './groups-store.ts';
import { deleteGroup, putGroupGrant } from './groups-store.ts';
import { updateTenant } from './tenants-store.ts';
import { addMembership, findUser, updateUser } from './users-store.ts';

type FileInput = z.input<typeof accessFile>;

const full: FileInput = {
  mcpServers: {
    files: { command: 'files' },
    github: { url: 'https://x.org/mcp', headers: { 'X-Key': 'k1' } },
  },
  tenants: { acme: { emailDomains: ['acme.com'], endpoints: { github: 'http://10.0.0.1/mcp' } } },
  groups: {
    'MCP-Admin': { admin: true },
    'Tenant-Acme': { tenant: 'acme', servers: { github: ['get_*'], files: ['*'] } },
  },
  users: {
    'alice@acme.com': { groups: ['Tenant-Acme'], defaultTenant: 'acme' },
    '*@acme.com': { servers: ['files'] },
    'service:bot': { groups: ['Tenant-Acme'] },
  },
};

const apply = (db: Db, file: FileInput, prune = false) =>
  applyFile(db, accessFile.parse(file), { prune, actor: 'config file' });
const plan = (db: Db, file: FileInput, prune = false) => planFile(db, accessFile.parse(file), { prune });
const short = (changes: readonly Change[]) =>
  changes.map(
    ({ kind, record, id, fields }) => `${kind} ${record} ${id}${fields ? `: ${fields.join(', ')}` : ''}`,
  );
const freshDb = async () => (await testDatabase()).db;
const auditCount = async (db: Db) => (await sql`select from mcp_proxy.audit_log`.execute(db)).rows.length;

test('the file is applied once, in the order of its dependencies; the second time there is nothing to do', async () => {
  const db = await freshDb();
  const created = [
    'create server files',
    'create server github',
    'create tenant acme',
    'create group MCP-Admin',
    'create group Tenant-Acme',
    'create user alice@acme.com',
    'create user *@acme.com',
    'create user service:bot',
  ];
  expect(short(await plan(db, full))).toEqual(created);
  expect(await findGroup(db, 'MCP-Admin')).toBeUndefined();
  expect(short(await apply(db, full))).toEqual(created);
  expect(await auditCount(db)).toBe(created.length);
  expect(await apply(db, full)).toEqual([]);
  expect(await plan(db, full)).toEqual([]);
  expect(await auditCount(db)).toBe(created.length);
  expect(await findGroup(db, 'Tenant-Acme')).toMatchObject({
    tenant: 'acme',
    managedBy: 'file',
    memberCount: 2,
    servers: [
      { server: 'files', tools: ['*'] },
      { server: 'github', tools: ['get_*'] },
    ],
  });
  expect(await findUser(db, 'alice@acme.com')).toMatchObject({
    source: 'file',
    defaultTenant: 'acme',
    groups: [{ group: 'Tenant-Acme', source: 'file' }],
  });
});

test('an update names the fields that differ, and a header’s value leaves no trace', async () => {
  const db = await freshDb();
  await apply(db, full);
  const changed: FileInput = {
    ...full,
    mcpServers: { ...full.mcpServers, github: { url: 'https://x.org/mcp', headers: { 'X-Key': 'canary' } } },
    groups: { ...full.groups, 'Tenant-Acme': { tenant: 'acme', servers: ['github'] } },
  };
  expect(short(await apply(db, changed))).toEqual([
    'update server github: headers',
    'update group Tenant-Acme: servers',
  ]);
  const { rows } = await sql<{
    after: unknown;
  }>`select before, after from mcp_proxy.audit_log order by id`.execute(db);
  expect(rows.at(-2)?.after).toMatchObject({ id: 'github', headerNames: ['X-Key'], changed: ['headers'] });
  expect(JSON.stringify(rows)).not.toContain('canary');
});

test('what an administrator changes or deletes stays until the entry itself changes', async () => {
  const db = await freshDb();
  await apply(db, full);
  await updateTenant(db, 'acme', { enabled: false });
  await deleteGroup(db, 'MCP-Admin');
  await updateUser(db, 'alice@acme.com', { disabled: true });
  expect(await apply(db, full)).toEqual([]);
  const changed: FileInput = {
    ...full,
    tenants: { acme: { ...full.tenants?.acme, displayName: 'Acme' } },
    groups: { ...full.groups, 'MCP-Admin': { admin: true, displayName: 'Admins' } },
    users: { ...full.users, 'alice@acme.com': { groups: [] } },
  };
  expect(short(await apply(db, changed))).toEqual([
    'update tenant acme: displayName, enabled',
    'create group MCP-Admin',
    'update user alice@acme.com: groups',
  ]);
  expect(await findUser(db, 'alice@acme.com')).toMatchObject({
    disabled: true,
    groups: [],
    defaultTenant: 'acme',
  });
});

test('what others added to a record of the file stays beside it', async () => {
  const db = await freshDb();
  await apply(db, full);
  await putGroupGrant(db, 'MCP-Admin', 'files', ['x']);
  await putGroupGrant(db, 'Tenant-Acme', 'files', ['only_this']);
  await addMembership(db, 'alice@acme.com', 'MCP-Admin');
  const changed: FileInput = {
    ...full,
    groups: {
      'MCP-Admin': { admin: true, displayName: 'Admins' },
      'Tenant-Acme': { tenant: 'acme', servers: { files: ['*'] }, displayName: 'Acme' },
    },
    users: { ...full.users, 'alice@acme.com': { groups: [], displayName: 'Alice' } },
  };
  await apply(db, changed);
  expect((await findGroup(db, 'MCP-Admin'))?.servers).toEqual([{ server: 'files', tools: ['x'] }]);
  expect((await findGroup(db, 'Tenant-Acme'))?.servers).toEqual([{ server: 'files', tools: ['*'] }]);
  expect((await findUser(db, 'alice@acme.com'))?.groups).toMatchObject([
    { group: 'MCP-Admin', source: 'admin' },
  ]);
});

test('entries that are gone from the file are told each time and removed only with prune', async () => {
  const db = await freshDb();
  await apply(db, full);
  await addMembership(db, 'service:bot', 'MCP-Admin');
  const less: FileInput = {
    mcpServers: { files: { command: 'files' } },
    groups: { 'MCP-Admin': { admin: true } },
  };
  const orphans = [
    'user *@acme.com',
    'user alice@acme.com',
    'user service:bot',
    'group Tenant-Acme',
    'tenant acme',
    'server github',
  ];
  const byId = (lines: string[]) => lines.toSorted();
  expect(byId(short(await apply(db, less)))).toEqual(byId(orphans.map((what) => `orphan ${what}`)));
  expect(byId(short(await plan(db, less, true)))).toEqual(byId(orphans.map((what) => `delete ${what}`)));
  expect(await findGroup(db, 'Tenant-Acme')).toBeDefined();
  expect(byId(short(await apply(db, less, true)))).toEqual(byId(orphans.map((what) => `delete ${what}`)));
  expect(await findGroup(db, 'Tenant-Acme')).toBeUndefined();
  expect(await findUser(db, 'alice@acme.com')).toBeUndefined();
  // Somebody else gave the service something, so only what the file gave is gone.
  expect((await findUser(db, 'service:bot'))?.groups).toMatchObject([
    { group: 'MCP-Admin', source: 'admin' },
  ]);
  expect(await apply(db, less, true)).toEqual([]);
});

test('a record that an administrator deleted is no orphan, and what refers to it is applied without it', async () => {
  const db = await freshDb();
  await apply(db, full);
  await sql`delete from mcp_proxy.servers where id = 'github'`.execute(db);
  const changed: FileInput = {
    ...full,
    groups: { ...full.groups, 'Tenant-Acme': { tenant: 'acme', servers: ['github', 'files'] } },
  };
  expect(short(await apply(db, changed))).toEqual([]);
  expect((await findGroup(db, 'Tenant-Acme'))?.servers).toEqual([{ server: 'files', tools: ['*'] }]);
  expect(short(await apply(db, { mcpServers: { files: { command: 'files' } } }))).not.toContain(
    'orphan server github',
  );
});

test('a record that an administrator made before becomes the file’s', async () => {
  const db = await freshDb();
  await sql`insert into mcp_proxy.groups (name, display_name) values ('MCP-Admin', 'x')`.execute(db);
  expect(short(await apply(db, { groups: { 'MCP-Admin': { admin: true } } }))).toEqual([
    'update group MCP-Admin: admin, displayName, managedBy',
  ]);
});

test('two replicas that start at once apply the file once', async () => {
  const db = await freshDb();
  const [one, two] = await Promise.all([apply(db, full), apply(db, full)]);
  expect([one.length, two.length].sort((a, b) => a - b)).toEqual([0, 8]);
  expect(await auditCount(db)).toBe(8);
});

test('a file that cannot be applied changes nothing', async () => {
  const db = await freshDb();
  await asOwner(db, (owner) =>
    sql`alter table mcp_proxy.users add constraint no_bot check (email <> 'service:bot')`.execute(owner),
  );
  await expect(apply(db, full)).rejects.toThrow('no_bot');
  expect(await findGroup(db, 'MCP-Admin')).toBeUndefined();
  expect(await auditCount(db)).toBe(0);
});
