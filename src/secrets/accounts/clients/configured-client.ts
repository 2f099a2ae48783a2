// The client that a server's definition names. Its secret is a credential, which belongs to the authorization server that
// it was first used at: whoever changes the definition cannot have it sent to another one.
import type { FoundCredential } from '../../credential.ts';
import type { AccountPlace } from '../accounts.ts';
import { clientElsewhere, secretElsewhere } from '../errors.ts';
import type { AccountSecret } from '../tokens.ts';
import { findClient, replaceClient } from './clients-store.ts';
import type { ClientQuestion, ClientsOptions, GateClient } from './gate-client.ts';
import { claimSecret, issuerOfSecret, namedClient } from './secret-issuers-store.ts';

/** The credential with the secret of a client that a server's definition names. */
export const configuredSecret = 'oauth-client-secret';

/** For a new sign-in: only where the definition also names the issuer, or where it was used before. */
export async function configuredFor(o: ClientsOptions, q: ClientQuestion): Promise<GateClient | null> {
  const { server, tenant, at } = q;
  const { clientId, issuer } = server.settings;
  if (clientId === undefined) return null;
  const pinned = issuer === undefined ? await pinnedIssuer(o, q, clientId) : at.issuer;
  if (pinned !== at.issuer && (pinned !== null || !mayPin(q))) {
    if (server.elsewhere) return null;
    throw clientElsewhere(server.id, pinned ?? 'no authorization server yet', at.issuer);
  }
  const secret = secretOf(o, { tenant, server: server.id });
  if (secret) {
    const { version } = secret;
    const owner = await claimSecret(o.database.db, { server: server.id, version, issuer: at.issuer });
    if (owner !== at.issuer) throw secretElsewhere(server.id, owner, at.issuer);
  }
  if (pinned === null) await pin(o, q, clientId);
  return clientWith(clientId, tenant, secret);
}

/**
 * The client that tokens were issued to, with its secret of today, where that is this authorization server's; else null.
 * One that nobody used yet is, while the definition still says so: it was replaced.
 */
export async function configuredThen(
  o: ClientsOptions,
  { tenant, server }: Pick<AccountPlace, 'tenant' | 'server'>,
  { clientId, issuer }: { readonly clientId: string; readonly issuer: string },
): Promise<GateClient | null> {
  const { db } = o.database;
  const secret = secretOf(o, { tenant, server });
  const client = clientWith(clientId, tenant, secret);
  if (!secret) return client;
  const place = { server, version: secret.version };
  const owner =
    (await issuerOfSecret(db, place)) ??
    ((await isStillNamed(o, server, { clientId, issuer }))
      ? await claimSecret(db, { ...place, issuer })
      : null);
  return owner === issuer ? client : null;
}

async function isStillNamed(
  { database: { db } }: ClientsOptions,
  server: string,
  { clientId, issuer }: { readonly clientId: string; readonly issuer: string },
): Promise<boolean> {
  const named = await namedClient(db, server);
  if (named?.clientId !== clientId) return false;
  if (named.issuer !== null) return URL.parse(named.issuer)?.href === URL.parse(issuer)?.href;
  const row = await findClient(db, { tenant: null, server }, 'configured');
  return row?.clientId === clientId && row.issuer === issuer;
}

/** The issuer that the client was first used at. */
async function pinnedIssuer(
  { database: { db } }: ClientsOptions,
  { server }: ClientQuestion,
  clientId: string,
): Promise<string | null> {
  const row = await findClient(db, { tenant: null, server: server.id }, 'configured');
  return row?.clientId === clientId ? row.issuer : null;
}

/** A tenant's own address never decides whose the client is, and neither does an outage of the first. */
function mayPin({ server, isFirst }: ClientQuestion): boolean {
  return isFirst && !server.elsewhere;
}

async function pin(o: ClientsOptions, q: ClientQuestion, clientId: string): Promise<void> {
  const { db } = o.database;
  const { server, at } = q;
  const place = { tenant: null, server: server.id };
  const before = await findClient(db, place, 'configured');
  const fresh = { ...place, source: 'configured', issuer: at.issuer, clientId, sealed: null } as const;
  // The same client is there when somebody was faster, and stays as it is.
  const replaced = before === null || before.clientId === clientId ? null : before.clientId;
  await replaceClient(db, { ...fresh, expiresAt: null, by: 'config-file' }, replaced);
  // Whoever was first is right.
  const owner = await pinnedIssuer(o, q, clientId);
  if (owner !== at.issuer)
    throw clientElsewhere(server.id, owner ?? 'no authorization server yet', at.issuer);
}

function secretOf(
  { vault }: ClientsOptions,
  place: { readonly tenant: string | null; readonly server: string },
): FoundCredential | null {
  return vault.find({ ...place, user: null, groups: [], elsewhere: false, name: configuredSecret });
}

function clientWith(
  id: AccountSecret['client']['id'],
  tenant: string | null,
  secret: FoundCredential | null,
): GateClient {
  return { source: 'configured', id, secret: secret?.open() ?? null, method: null, tenant };
}
