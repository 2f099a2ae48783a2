import { z } from 'zod';
import { endpoint } from '../platform/contract.ts';

// Ids of tenants and servers, unbranded: the feature that brands them stands above this one.
const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,23}$/);

/** `default` is what `${credential}` means; `${credential:NAME}` names another one of the same server. */
export const credentialName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/);

export const keyView = z.object({
  server: id,
  name: z.string(),
  /** The last four characters, to recognise it by; shorter secrets show none. */
  lastFour: z.string(),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
});

const keyInput = z.strictObject({
  value: z.string().min(1).max(20_000),
  name: credentialName.default('default'),
});
const nameQuery = z.object({ name: credentialName.default('default') });
const byTenantAndServer = z.object({ id, server: id });
const ok = z.object({ ok: z.literal(true) });

export const api = {
  listTenantKeys: endpoint({
    method: 'GET',
    path: '/tenants/{id}/keys',
    tag: 'Keys',
    summary: 'A tenant’s keys, masked',
    params: z.object({ id }),
    output: z.object({ items: z.array(keyView), nextCursor: z.null() }),
  }),
  putTenantKey: endpoint({
    method: 'PUT',
    path: '/tenants/{id}/keys/{server}',
    tag: 'Keys',
    summary: 'Set or replace a tenant’s key; never readable again',
    params: byTenantAndServer,
    body: keyInput,
    output: ok,
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
  listSharedKeys: endpoint({
    method: 'GET',
    path: '/keys',
    tag: 'Keys',
    summary: 'Shared keys, masked',
    output: z.object({ items: z.array(keyView), nextCursor: z.null() }),
  }),
  putSharedKey: endpoint({
    method: 'PUT',
    path: '/keys/{server}',
    tag: 'Keys',
    summary: 'Set or replace the key that every tenant without its own uses',
    params: z.object({ server: id }),
    body: keyInput,
    output: ok,
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
};
