// Wire shapes of stored keys. A schema file: longer than most, on purpose.
import { z } from 'zod';
import { endpoint } from '../platform/contract.ts';

// Ids and names of what stands above this feature, unbranded: the features that brand them may not be seen from here.
const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,23}$/);
const groupName = z
  .string()
  .trim()
  .min(1)
  .max(200)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
  .regex(/^[^\u0000-\u001f\u007f]+$/, 'must not hold control characters');
/** One person or one program. A key of everybody of a domain would be a tenant's. */
const keyUser = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(
    /^(?:[^@\s*]+@[^@\s*]+|service:[a-z0-9][a-z0-9._-]{0,62})$/,
    'must be an e-mail address or "service:" and a name',
  );

/** `default` is what `${credential}` means; `${credential:NAME}` names another one of the same server. */
export const credentialName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/);

export const keyValue = z.string().min(1).max(20_000);

export const keyLevel = z.enum(['user', 'group', 'tenant', 'shared']);

export const keyView = z.object({
  level: keyLevel,
  /** The user, group or tenant; null for a shared key. */
  owner: z.string().nullable(),
  /** It is used only while this tenant is active; null: whichever is. */
  tenant: z.string().nullable(),
  server: id,
  name: z.string(),
  /** The last four characters, to recognise it by; shorter secrets show none. */
  lastFour: z.string(),
  createdAt: z.iso.datetime(),
  /** When its value was last set. */
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
  /** To ten minutes; null: never, or not since this is noted. */
  lastUsedAt: z.iso.datetime().nullable(),
  /** Kept and never used: the group belongs to another tenant than when the key was set. */
  dormant: z.boolean(),
});
export type KeyView = z.infer<typeof keyView>;

const keyInput = z.strictObject({ value: keyValue, name: credentialName.default('default') });

const keyList = z.object({ items: z.array(keyView), nextCursor: z.null() });
const nameQuery = z.object({ name: credentialName.default('default') });
// Strict, because a misspelt `tenant` would make a key for one tenant one for all.
const tenantQuery = z.strictObject({ tenant: id.optional() });
const tenantNameQuery = tenantQuery.extend({ name: credentialName.default('default') });
const byTenantAndServer = z.object({ id, server: id });
const byGroupAndServer = z.object({ name: groupName, server: id });
const byUserAndServer = z.object({ email: keyUser, server: id });
/** The key is set all the same: `warnings` says what may be a mistake, one sentence each. */
const keySet = z.object({ ok: z.literal(true), warnings: z.array(z.string()) });

/** A value that a server asks for, and nobody has set where it would be looked for last. */
export const missingKey = z.object({
  server: id,
  displayName: z.string(),
  name: z.string(),
  /** Where the definition asks for it, such as `header Authorization`. */
  usedIn: z.array(z.string()),
  /** Tenants with neither a key of their own nor a shared one. */
  tenants: z.array(z.string()),
  /** There is no shared one either, for people without a tenant. */
  shared: z.boolean(),
  /** Whether any group or user may use the server. */
  granted: z.boolean(),
  /** How many users and groups have one of their own. */
  users: z.number(),
  groups: z.number(),
});

export const importFormat = z.enum(['csv', 'env']);

export const keyImport = z.strictObject({
  format: importFormat,
  text: z.string().min(1).max(900_000),
  /** Tell what would be done and store nothing. */
  dryRun: z.boolean().default(false),
  /** Everything in the text is for this tenant. */
  tenant: id.optional(),
  /** One row that is wrong keeps all of them from being stored. */
  allOrNothing: z.boolean().default(true),
});

export const importedRow = z.object({
  /** Line of the text, from 1. */
  line: z.number(),
  /** `skip`: nothing to store, and no mistake. */
  action: z.enum(['create', 'replace', 'skip', 'error']),
  level: keyLevel.nullable(),
  owner: z.string().nullable(),
  tenant: z.string().nullable(),
  server: z.string().nullable(),
  name: z.string().nullable(),
  lastFour: z.string(),
  /** Why it is skipped, what is wrong and how to mend it, or what else is to be done; never a value. */
  message: z.string().nullable(),
});
export type ImportedRow = z.infer<typeof importedRow>;

export const importAnswer = z.object({
  dryRun: z.boolean(),
  /** How many keys were stored, or would be. */
  stored: z.number(),
  /** How many rows are wrong. */
  errors: z.number(),
  rows: z.array(importedRow),
});

export const api = {
  listTenantKeys: endpoint({
    method: 'GET',
    path: '/tenants/{id}/keys',
    tag: 'Keys',
    summary: 'A tenant’s keys, masked',
    params: z.object({ id }),
    output: keyList,
  }),
  putTenantKey: endpoint({
    method: 'PUT',
    path: '/tenants/{id}/keys/{server}',
    tag: 'Keys',
    summary: 'Set or replace a tenant’s key; never readable again',
    params: byTenantAndServer,
    body: keyInput,
    output: keySet,
  }),
  deleteTenantKey: endpoint({
    method: 'DELETE',
    path: '/tenants/{id}/keys/{server}',
    tag: 'Keys',
    summary: 'Remove a tenant’s key',
    params: byTenantAndServer,
    query: nameQuery,
    status: 204,
  }),
  listGroupKeys: endpoint({
    method: 'GET',
    path: '/groups/{name}/keys',
    tag: 'Keys',
    summary: 'A group’s keys, masked',
    params: z.object({ name: groupName }),
    output: keyList,
  }),
  putGroupKey: endpoint({
    method: 'PUT',
    path: '/groups/{name}/keys/{server}',
    tag: 'Keys',
    summary: 'Set or replace a group’s key; it belongs to the tenant that the group belongs to',
    params: byGroupAndServer,
    body: keyInput,
    output: keySet,
  }),
  deleteGroupKey: endpoint({
    method: 'DELETE',
    path: '/groups/{name}/keys/{server}',
    tag: 'Keys',
    summary: 'Remove a group’s key, whichever tenant the group belonged to when it was set',
    params: byGroupAndServer,
    query: z.strictObject({ name: credentialName.default('default') }),
    status: 204,
  }),
  listUserKeys: endpoint({
    method: 'GET',
    path: '/users/{email}/keys',
    tag: 'Keys',
    summary: 'A user’s keys, masked',
    params: z.object({ email: keyUser }),
    query: tenantQuery,
    output: keyList,
  }),
  putUserKey: endpoint({
    method: 'PUT',
    path: '/users/{email}/keys/{server}',
    tag: 'Keys',
    summary: 'Set or replace a user’s key, for one tenant or for whichever is active',
    params: byUserAndServer,
    query: tenantQuery,
    body: keyInput,
    output: keySet,
  }),
  deleteUserKey: endpoint({
    method: 'DELETE',
    path: '/users/{email}/keys/{server}',
    tag: 'Keys',
    summary: 'Remove a user’s key',
    params: byUserAndServer,
    query: tenantNameQuery,
    status: 204,
  }),
  listSharedKeys: endpoint({
    method: 'GET',
    path: '/keys',
    tag: 'Keys',
    summary: 'Shared keys, masked',
    output: keyList,
  }),
  putSharedKey: endpoint({
    method: 'PUT',
    path: '/keys/{server}',
    tag: 'Keys',
    summary: 'Set or replace the key that everybody without a more specific one uses',
    params: z.object({ server: id }),
    body: keyInput,
    output: keySet,
  }),
  deleteSharedKey: endpoint({
    method: 'DELETE',
    path: '/keys/{server}',
    tag: 'Keys',
    summary: 'Remove a shared key',
    params: z.object({ server: id }),
    query: nameQuery,
    status: 204,
  }),
  listMissingKeys: endpoint({
    method: 'GET',
    path: '/keys/missing',
    tag: 'Keys',
    summary: 'What enabled servers ask for and nobody has set, for one tenant or for all',
    query: tenantQuery,
    output: z.object({ items: z.array(missingKey), nextCursor: z.null() }),
  }),
  importKeys: endpoint({
    method: 'POST',
    path: '/keys/import',
    tag: 'Keys',
    summary: 'Set many keys from a CSV or a .env file, after a look at what it would do',
    body: keyImport,
    output: importAnswer,
  }),
};

const masterKeyId = z.string().regex(/^[0-9a-f]{8}$/, 'must be the id of a master key: eight hex digits');
const count = z.number().int();

/** A stored secret that cannot be opened: whose it is and why, and nothing of it. */
const unreadableSecret = z.object({
  table: z.string(),
  tenant: z.string().nullable(),
  level: z.string(),
  owner: z.string().nullable(),
  server: z.string(),
  name: z.string(),
  /** The master key that it needs; null for what is not in a sealed form. */
  keyId: z.string().nullable(),
  reason: z.string(),
});
export type UnreadableSecret = z.infer<typeof unreadableSecret>;

const masterKeyView = z.object({
  id: masterKeyId,
  /** The process that answers has it. */
  held: z.boolean(),
  /** Who unwraps it; null for a key that is configured as it is. */
  source: z.string().nullable(),
  inForce: z.boolean(),
  /** Secrets that are sealed under it. */
  secrets: count,
  firstUsedAt: z.iso.datetime().nullable(),
  retiredAt: z.iso.datetime().nullable(),
});

const masterKeysView = z.object({
  /** Where the keys of the process that answers come from. */
  source: z.enum(['environment', 'file', 'data-directory']),
  inForce: masterKeyId.nullable(),
  items: z.array(masterKeyView),
  problem: z.string().nullable(),
  /** What the process that answers cannot open; `items` ends after 100. */
  unreadable: z.object({ count, items: z.array(unreadableSecret) }),
});
export type MasterKeysView = z.infer<typeof masterKeysView>;

const rotationProgress = z.object({
  /** The key in force. */
  to: masterKeyId,
  askedAt: z.iso.datetime().nullable(),
  /** A process is at it. */
  running: z.boolean(),
  total: count,
  done: count,
  remaining: count,
  /** What cannot be opened stays as it is; `failures` ends after 100. */
  failed: count,
  failures: z.array(unreadableSecret),
});
export type RotationProgress = z.infer<typeof rotationProgress>;

export const masterKeysApi = {
  listMasterKeys: endpoint({
    method: 'GET',
    path: '/master-keys',
    tag: 'Master keys',
    summary: 'The master keys by their ids, and which secrets cannot be opened',
    output: masterKeysView,
  }),
  rotateMasterKey: endpoint({
    method: 'POST',
    path: '/master-keys/rotate',
    tag: 'Master keys',
    summary: 'Put another master key in force and seal everything under it, while calls go on',
    body: z.strictObject({ to: masterKeyId.optional() }).default({}),
    output: rotationProgress.extend({ wasMade: z.boolean() }),
  }),
  masterKeyRotation: endpoint({
    method: 'GET',
    path: '/master-keys/rotation',
    tag: 'Master keys',
    summary: 'How far the rotation is',
    output: rotationProgress,
  }),
  retireMasterKey: endpoint({
    method: 'POST',
    path: '/master-keys/{id}/retire',
    tag: 'Master keys',
    summary: 'Give up a master key that nothing needs, for good',
    params: z.object({ id: masterKeyId }),
    body: z
      .strictObject({ deleteSecrets: z.boolean().default(false), confirm: z.string().optional() })
      .default({ deleteSecrets: false }),
    output: z.object({ deleted: count }),
  }),
};
