// Wire shapes of accounts and of the gate's clients at authorization servers, for administrators. Nothing of them
// shows a token or a secret.
import { z } from 'zod';
import { endpoint, page, pageQuery } from '../../platform/contract.ts';

const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,23}$/);
const email = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(/^[^@\s*]+@[^@\s*]+$/, 'must be an e-mail address');
const accountState = z.enum(['connected', 'reconnect']);

const accountView = z.object({
  user: z.string(),
  /** It is used only while this tenant is active; null: for callers without one. */
  tenant: z.string().nullable(),
  server: z.string(),
  state: accountState,
  /** Why it has to be connected again. */
  problem: z.string().nullable(),
  /** The authorization server. */
  issuer: z.string(),
  scopes: z.array(z.string()),
  connectedAt: z.iso.datetime(),
  refreshedAt: z.iso.datetime().nullable(),
});

const clientView = z.object({
  tenant: z.string().nullable(),
  server: z.string(),
  /** The only authorization server that the client is shown to. */
  issuer: z.string(),
  clientId: z.string(),
  hasSecret: z.boolean(),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
});

// What a form may hold; RFC 6749 appendix A.1 and A.2.
const printable = /^[\x20-\x7e]+$/;
const clientInput = z.strictObject({
  clientId: z.string().trim().min(1).max(2000).regex(printable, 'must be printable ASCII'),
  clientSecret: z.string().trim().min(1).max(4000).regex(printable, 'must be printable ASCII').optional(),
  issuer: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .max(2000)
    .optional(),
});
const clientSet = z.object({
  ok: z.literal(true),
  issuer: z.string(),
  /** To be registered there for this client. */
  redirectUri: z.string(),
});
const clientList = z.object({ items: z.array(clientView), nextCursor: z.null() });
const byServer = z.object({ server: id });
const byTenantAndServer = z.object({ id, server: id });
const tag = 'Accounts';

export const api = {
  listAccounts: endpoint({
    method: 'GET',
    path: '/accounts',
    tag,
    summary: 'Accounts of users at servers',
    query: pageQuery.extend({ server: id.optional(), state: accountState.optional() }),
    output: page(accountView),
  }),
  listUserAccounts: endpoint({
    method: 'GET',
    path: '/users/{email}/accounts',
    tag,
    summary: 'A user’s accounts at servers',
    params: z.object({ email }),
    query: pageQuery.omit({ search: true }),
    output: page(accountView),
  }),
  disconnectAccount: endpoint({
    method: 'DELETE',
    path: '/users/{email}/accounts/{server}',
    tag,
    summary: 'Disconnect a user’s account: for one tenant with ?tenant=, else for all of them',
    params: z.object({ email, server: id }),
    // Strict, because a misspelt `tenant` would disconnect all of them.
    query: z.strictObject({ tenant: id.optional() }),
    output: z.object({
      items: z.array(
        z.object({ tenant: z.string().nullable(), revoked: z.enum(['yes', 'no', 'unsupported']) }),
      ),
    }),
  }),
  listClients: endpoint({
    method: 'GET',
    path: '/oauth-clients',
    tag,
    summary: 'Stored OAuth clients that every tenant without its own uses',
    output: clientList,
  }),
  putClient: endpoint({
    method: 'PUT',
    path: '/oauth-clients/{server}',
    tag,
    summary: 'Store the client that users sign in to a server with; its secret is never readable again',
    params: byServer,
    body: clientInput,
    output: clientSet,
  }),
  deleteClient: endpoint({
    method: 'DELETE',
    path: '/oauth-clients/{server}',
    tag,
    summary: 'Remove the stored client of a server, and forget how the gate registered there by itself',
    params: byServer,
    status: 204,
  }),
  listTenantClients: endpoint({
    method: 'GET',
    path: '/tenants/{id}/oauth-clients',
    tag,
    summary: 'A tenant’s stored OAuth clients',
    params: z.object({ id }),
    output: clientList,
  }),
  putTenantClient: endpoint({
    method: 'PUT',
    path: '/tenants/{id}/oauth-clients/{server}',
    tag,
    summary: 'Store the client that a tenant’s users sign in to a server with',
    params: byTenantAndServer,
    body: clientInput,
    output: clientSet,
  }),
  deleteTenantClient: endpoint({
    method: 'DELETE',
    path: '/tenants/{id}/oauth-clients/{server}',
    tag,
    summary: 'Remove a tenant’s stored OAuth client',
    params: byTenantAndServer,
    status: 204,
  }),
};
