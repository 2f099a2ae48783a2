import { createHash } from 'node:crypto';
import {
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomState,
  OperationProcessingError,
  UnsupportedOperationError,
  validateAuthResponse,
} from 'oauth4webapi';
import { z } from 'zod';
import { writeAudit } from '../../audit/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import {
  type AccountActor,
  type Accounts,
  type AccountPlace,
  ConnectFailed,
  type Finished,
} from './accounts.ts';
import { type AccountRow, putAccount } from './accounts-store.ts';
import { type AttemptRow, putAttempt, takeAttempt } from './attempts-store.ts';
import { chooseServer } from './choose-server.ts';
import { authorizationUrl, scopesFor } from './protocol/authorization-url.ts';
import type { Clients } from './clients/clients.ts';
import type { GateClient } from './clients/gate-client.ts';
import { scope } from '../scope.ts';
import { forgetRegistration } from './clients/clients-store.ts';
import type { Discovery } from './protocol/discovery.ts';
import {
  answerWrong,
  attemptForeign,
  attemptUnknown,
  clientRefused,
  returnInvalid,
  signInRefused,
  tokenUnusable,
} from './errors.ts';
import { after } from './next-tokens.ts';
import type { SignInServer } from './protocol/server-metadata.ts';
import {
  type Callback,
  type Granted,
  GrantRefused,
  GrantUnclear,
  redeemCode,
} from './protocol/token-endpoint.ts';
import { type AccountSecret, accountSecret, sealAccount } from './tokens.ts';

export interface SignInsOptions {
  readonly database: Pick<Database, 'db' | 'forTenant'>;
  readonly box: SecretBox;
  readonly fetch: Pick<GuardedFetch, 'fetch'>;
  readonly clients: Clients;
  readonly discovery: Discovery;
  /** The one for clients that were registered by hand. */
  readonly redirectUri: string;
  readonly clock: Clock;
}

/** The way of a browser to an authorization server and back. */
export interface SignIns {
  /** `before`: the account that is there already. */
  begin(o: Parameters<Accounts['begin']>[0], before: AccountRow | undefined): ReturnType<Accounts['begin']>;
  finish(o: Parameters<Accounts['finish']>[0]): Promise<{ finished: Finished; row: AccountRow }>;
}

const attemptSeconds = 600;
const mostAttempts = 10;

/** What has to be known when the browser comes back, sealed: what it was sent with, and to whom. */
const attemptSecret = accountSecret
  .pick({ issuer: true, client: true, resource: true, indicator: true, trustedOrigin: true, scopes: true })
  .extend({ verifier: z.string(), returnTo: z.string(), mustStateIssuer: z.boolean() })
  /** Not there: the one for all of them, from before. */
  .extend({ redirectUri: z.string().optional() });
type AttemptSecret = z.infer<typeof attemptSecret>;

export function createSignIns(o: SignInsOptions): SignIns {
  return {
    async begin({ tenant, user, server, returnTo, further = [] }, before) {
      if (!isOwnPath(returnTo)) throw returnInvalid();
      const { found, client } = await chooseServer(o, { server, tenant, before: before?.issuer });
      const { redirectUri } = client;
      const granted = before?.issuer === found.server.issuer && further.length > 0 ? before.scopes : [];
      const scopes = scopesFor(found, server.settings, [...granted, ...further]);
      const state = generateRandomState();
      const verifier = generateRandomCodeVerifier();
      const attempt: AttemptSecret = {
        ...{ issuer: found.server.issuer, client: referenceTo(client), resource: server.url },
        ...{ indicator: found.indicator, scopes: scopes ?? [], verifier, returnTo },
        trustedOrigin: server.trusted ? new URL(server.url).origin : null,
        mustStateIssuer: found.server.authorization_response_iss_parameter_supported === true,
        redirectUri,
      };
      const place = { tenant, user, server: server.id, id: idOf(state) };
      const sealed = o.box.seal(JSON.stringify(attempt), bindingOf(place));
      await scope(o.database, tenant)
        .transaction()
        .execute((trx) => putAttempt(trx, { ...place, sealed, seconds: attemptSeconds, most: mostAttempts }));
      const challenge = await calculatePKCECodeChallenge(verifier);
      return {
        url: authorizationUrl(found, server.settings, {
          client: client.id,
          redirectUri,
          state,
          challenge,
          scopes,
        }),
      };
    },
    async finish({ path, query, user, actor }) {
      const [state, ...more] = query.getAll('state');
      const row =
        state === undefined || more.length > 0 ? null : await takeAttempt(o.database.db, idOf(state));
      if (!row || state === undefined) throw attemptUnknown();
      // A link that was sent to somebody else must not connect anything, neither theirs nor the sender's.
      if (row.user !== user) throw attemptForeign();
      const attempt = attemptSecret.parse(JSON.parse(o.box.open(row.sealed, bindingOf(row))));
      const finished = { server: row.server, tenant: row.tenant, returnTo: attempt.returnTo };
      try {
        const secret = await redeemed(o, row, attempt, { path, query, state });
        return { finished, row: await stored(o, row, secret, actor ?? { id: user }) };
      } catch (error) {
        throw error instanceof AppError ? new ConnectFailed(error, finished) : error;
      }
    },
  };
}

async function redeemed(
  o: SignInsOptions,
  row: AttemptRow,
  attempt: AttemptSecret,
  { path, query, state }: { path: string; query: URLSearchParams; state: string },
): Promise<AccountSecret> {
  const { issuer, trustedOrigin, indicator, verifier, redirectUri = o.redirectUri } = attempt;
  // The answer of another authorization server, whose code this one must not see (RFC 9700 4.4).
  if (path !== new URL(redirectUri).pathname)
    throw answerWrong(`it came to the address of another than ${issuer}`);
  // By what was known when the browser was sent there: nobody can take the condition back meanwhile.
  const callback = accepted(
    { issuer, mustState: attempt.mustStateIssuer, client: attempt.client.id },
    query,
    state,
  );
  const client = await o.clients.same(row, attempt);
  if (!client) throw attemptUnknown();
  const server = await o.discovery.ofIssuer(issuer, trustedOrigin);
  const obtainedAt = o.clock();
  const way = { fetch: o.fetch, server, client, trustedOrigin };
  const granted = await redeemCode(way, { callback, redirectUri, verifier, indicator }).catch(
    (error: unknown) => notGranted(o, error, row, { server, client }),
  );
  const { resource, scopes } = attempt;
  const asked = { issuer, client: attempt.client, resource, indicator, trustedOrigin, scopes };
  const empty = { accessToken: '', refreshToken: null, obtainedAt, expiresAt: null, why: 'connect' } as const;
  return after({ ...asked, ...empty }, granted, obtainedAt);
}

/**
 * RFC 9207 2.4 and RFC 6749 10.12, before anything of the answer is used or shown: an answer of another authorization
 * server may carry a code that is to be stolen, and words that are to mislead.
 */
function accepted(
  { issuer, mustState, client }: { issuer: string; mustState: boolean; client: string },
  query: URLSearchParams,
  state: string,
): Callback {
  const server = { issuer, authorization_response_iss_parameter_supported: mustState };
  const wrong = answerWrong(`it is not one of ${issuer}, or not complete`);
  if (new Set(query.keys()).size < query.size) throw wrong;
  try {
    const callback = validateAuthResponse(server, { client_id: client }, query, state);
    if (!callback.get('code')) throw wrong;
    return callback;
  } catch (error) {
    if (error instanceof AuthorizationResponseError)
      throw signInRefused(issuer, error.error, error.error_description);
    if (error instanceof OperationProcessingError || error instanceof UnsupportedOperationError) throw wrong;
    throw error;
  }
}

async function notGranted(
  o: SignInsOptions,
  error: unknown,
  { server: id }: AttemptRow,
  { server, client }: { server: SignInServer; client: GateClient },
): Promise<Granted> {
  const { issuer } = server;
  if (error instanceof GrantUnclear) throw tokenUnusable(issuer, error.message);
  if (!(error instanceof GrantRefused)) throw error;
  const { code, description } = error;
  if (code !== 'invalid_client' && code !== 'unauthorized_client')
    throw signInRefused(issuer, code, description);
  if (client.source === 'registered')
    await forgetRegistration(o.database.db, { server: id, issuer, clientId: client.id });
  throw clientRefused(issuer, description ?? code);
}

async function stored(
  o: SignInsOptions,
  place: AccountPlace,
  secret: AccountSecret,
  actor: AccountActor,
): Promise<AccountRow> {
  const { issuer, resource, scopes, expiresAt, client } = secret;
  const { tenant, user, server } = place;
  const sealed = sealAccount(o.box, place, secret);
  const account = { tenant, user, server, issuer, resource, scopes, expiresAt, clientId: client.id, sealed };
  return scope(o.database, tenant)
    .transaction()
    .execute(async (trx) => {
      const row = await putAccount(trx, account);
      await writeAudit(trx, {
        ...{ actor: actor.id, requestId: actor.requestId ?? null, clientIp: actor.clientIp ?? null, tenant },
        ...{ action: 'account.connect', targetKind: 'account', targetId: `${user} ${server}` },
        after: { user, server, issuer, resource, scopes, client: client.source },
      });
      return row;
    });
}

function referenceTo({ source, id, tenant, secret, method }: GateClient): AccountSecret['client'] {
  const own = source === 'registered';
  return { source, id, tenant, secret: own ? secret : null, method: own ? method : null };
}

function idOf(state: string): string {
  return createHash('sha256').update(state).digest('base64url');
}

function bindingOf({ tenant, user, server, id }: AccountPlace & { id: string }) {
  return { tenant, owner: { level: 'user', id: user }, server, name: `oauth:attempt ${id}` } as const;
}

/** A path of the gate, however a browser reads it: no other host, no other scheme. */
function isOwnPath(path: string): boolean {
  return path.length <= 2000 && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path);
}
