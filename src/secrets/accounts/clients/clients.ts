import type { SecretBox } from '../../sealing/secret-box.ts';
import { scope } from '../../scope.ts';
import type { AccountPlace, AccountServer } from '../accounts.ts';
import { openClient, sealClient } from './client-seal.ts';
import { type ClientRow, findClient, replaceClient } from './clients-store.ts';
import { configuredFor, configuredThen } from './configured-client.ts';
import type { ChosenClient, ClientQuestion, ClientsOptions, GateClient } from './gate-client.ts';
import { clientElsewhere, clientNeeded } from '../errors.ts';
import { isOwnMetadataUrl, metadataUrlAt, redirectUriAt } from '../protocol/gate-identity.ts';
import { notReached, register } from '../protocol/register.ts';
import type { SignInServer } from '../protocol/server-metadata.ts';
import type { AccountSecret } from '../tokens.ts';

/** As whom the gate signs people in. No client's secret goes to any authorization server but its own. */
export interface Clients {
  /**
   * For a new sign-in: what an administrator stored for the tenant, then for the server, then the one in the server's
   * definition, the metadata document, a registration. Rejects with `account_client_needed` or
   * `account_client_elsewhere`.
   */
  choose(question: ClientQuestion): Promise<ChosenClient>;
  /** The client that these tokens were issued to, with its secret of today; null when it is another one meanwhile. */
  same(place: AccountPlace, secret: Pick<AccountSecret, 'client' | 'issuer'>): Promise<GateClient | null>;
}

const expiryMarginMs = 60_000;

export function createClients(o: ClientsOptions): Clients {
  const registering = new Map<string, Promise<ChosenClient>>();
  const registered = (server: AccountServer, at: SignInServer): Promise<ChosenClient> => {
    const key = `${server.id} ${at.issuer}`;
    const running =
      registering.get(key) ?? registration(o, server, at).finally(() => registering.delete(key));
    registering.set(key, running);
    return running;
  };
  return {
    async choose(q) {
      const { server, at } = q;
      const known = (await storedFor(o, q)) ?? (await configuredFor(o, q));
      // Whoever registered it by hand was told this address.
      if (known) return { ...known, redirectUri: o.gate.redirectUri };
      const id = at.client_id_metadata_document_supported === true ? metadataUrlAt(o.gate, at.issuer) : null;
      const redirectUri = redirectUriAt(o.gate, at.issuer);
      if (id !== null)
        return { source: 'metadata', id, secret: null, method: 'none', tenant: null, redirectUri };
      return registered(server, at);
    },
    async same(place, { client, issuer }) {
      const found = await current(o, place, client, issuer);
      return found?.id === client.id ? found : null;
    },
  };
}

async function storedFor(
  o: ClientsOptions,
  { server, tenant, at }: ClientQuestion,
): Promise<GateClient | null> {
  for (const owner of tenant === null ? [null] : [tenant, null]) {
    const row = await findClient(scope(o.database, owner), { tenant: owner, server: server.id }, 'stored');
    if (row?.issuer === at.issuer) return asClient(o.box, row);
    // Where a tenant has the server at an address of its own, everybody's client may well belong elsewhere.
    const mayDiffer = owner === null && server.elsewhere;
    if (row && !mayDiffer) throw clientElsewhere(server.id, row.issuer, at.issuer);
  }
  return null;
}

async function registration(
  o: ClientsOptions,
  server: AccountServer,
  at: SignInServer,
): Promise<ChosenClient> {
  const { db } = o.database;
  const place = { tenant: null, server: server.id, source: 'registered', issuer: at.issuer } as const;
  const row = await findClient(db, place, 'registered', at.issuer);
  if (row && isUsable(o, row)) return asRegistered(o, row);
  const trustedOrigin = server.trusted ? new URL(server.url).origin : null;
  const { redirectUri } = o.gate;
  const made = await register(o.fetch, at, o.gate, trustedOrigin).catch((error: unknown) => ({
    refused: notReached(error),
  }));
  if ('refused' in made) {
    throw clientNeeded({ issuer: at.issuer, server: server.id, redirectUri, why: made.refused });
  }
  const { registered, expiresAt } = made;
  const sealed = sealClient(o.box, place, registered);
  const replaced = row?.clientId ?? null;
  const fresh = { ...place, clientId: registered.clientId, sealed, expiresAt, by: 'gate' };
  // Whoever was first is right, so that all processes go on with one.
  const stored =
    (await replaceClient(db, fresh, replaced)) ?? (await findClient(db, place, 'registered', at.issuer));
  if (!stored) throw new Error('a registration went away while it was being stored');
  return asRegistered(o, stored);
}

function asRegistered({ box, gate }: ClientsOptions, row: ClientRow): ChosenClient {
  return { ...asClient(box, row), redirectUri: openClient(box, row).redirectUri ?? gate.redirectUri };
}

function isUsable(o: ClientsOptions, row: ClientRow): boolean {
  if (row.expiresAt !== null && o.clock() > row.expiresAt.getTime() - expiryMarginMs) return false;
  const { redirectUri } = openClient(o.box, row);
  // Registrations that were made before each authorization server had an address of its own go on.
  return redirectUri === redirectUriAt(o.gate, row.issuer) || redirectUri === o.gate.redirectUri;
}

async function current(
  o: ClientsOptions,
  place: AccountPlace,
  client: AccountSecret['client'],
  issuer: string,
): Promise<GateClient | null> {
  const { source, id, tenant } = client;
  if (source === 'metadata')
    return isOwnMetadataUrl(o.gate, issuer, id)
      ? { source, id, secret: null, method: 'none', tenant: null }
      : null;
  // A registration is one with its secret; both came from the server, and the tokens keep them.
  if (source === 'registered')
    return { source, id, secret: client.secret, method: client.method, tenant: null };
  if (source === 'configured')
    return configuredThen(o, { tenant, server: place.server }, { clientId: id, issuer });
  const row = await findClient(scope(o.database, tenant), { tenant, server: place.server }, 'stored', issuer);
  return row && asClient(o.box, row);
}

function asClient(box: SecretBox, row: ClientRow): GateClient {
  const { clientId: id, secret, method } = openClient(box, row);
  return { source: row.source, id, secret, method, tenant: row.tenant };
}
