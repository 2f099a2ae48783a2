// The only file that speaks to token and revocation endpoints. What the library throws may hold tokens, so nothing of
// it leaves this file but codes.
import {
  type AuthorizationServer,
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  type CustomFetchOptions,
  customFetch,
  genericTokenEndpointRequest,
  OperationProcessingError,
  processAuthorizationCodeResponse,
  processGenericTokenEndpointResponse,
  processRefreshTokenResponse,
  processRevocationResponse,
  refreshTokenGrantRequest,
  ResponseBodyError,
  revocationRequest,
  type TokenEndpointResponse,
  UnsupportedOperationError,
  type validateAuthResponse,
} from 'oauth4webapi';
import { FetchFailed, type GuardedFetch } from '../../../platform/guarded-fetch.ts';
import { scopesOf } from './challenge.ts';
import { clientAuth } from './client-auth.ts';
import type { GateClient } from '../clients/gate-client.ts';
import { quote } from '../errors.ts';

/** What a token endpoint gave. */
export interface Granted {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  /** Null: those that were asked for (RFC 6749 5.1). */
  readonly scopes: readonly string[] | null;
  /** Milliseconds; null: the server did not say. */
  readonly lifetime: number | null;
}

/** The server answered with an OAuth error. */
export class GrantRefused extends Error {
  readonly code: string;
  readonly description: string | undefined;

  constructor(code: string, description: string | undefined) {
    super(`the authorization server refused: ${code}`);
    this.name = 'GrantRefused';
    this.code = code;
    this.description = description;
  }
}

/** There is no answer that says yes or no. The message is a part of a sentence. */
export class GrantUnclear extends Error {
  override readonly name = 'GrantUnclear';
}

/** Where and as whom a token endpoint is asked. */
export interface Way {
  readonly fetch: Pick<GuardedFetch, 'fetch'>;
  readonly server: AuthorizationServer;
  readonly client: GateClient;
  readonly trustedOrigin: string | null;
}

export type Callback = ReturnType<typeof validateAuthResponse>;

export function redeemCode(
  way: Way,
  o: { callback: Callback; redirectUri: string; verifier: string; indicator: string },
): Promise<Granted> {
  const { server, client } = way;
  const options = { ...optionsFor(way), additionalParameters: { resource: o.indicator } };
  return granted(async () => {
    const response = await authorizationCodeGrantRequest(
      ...([server, asked(client), clientAuth(client, server)] as const),
      ...([o.callback, o.redirectUri, o.verifier, options] as const),
    );
    return processAuthorizationCodeResponse(server, asked(client), response);
  });
}

export function renewTokens(way: Way, o: { refreshToken: string; indicator: string }): Promise<Granted> {
  const { server, client } = way;
  const options = { ...optionsFor(way), additionalParameters: { resource: o.indicator } };
  return granted(async () => {
    const auth = clientAuth(client, server);
    const response = await refreshTokenGrantRequest(server, asked(client), auth, o.refreshToken, options);
    return processRefreshTokenResponse(server, asked(client), response);
  });
}

/** Any other grant, such as token exchange. */
export function otherGrant(
  way: Way,
  grantType: string,
  parameters: Readonly<Record<string, string>>,
): Promise<Granted> {
  const { server, client } = way;
  return granted(async () => {
    const response = await genericTokenEndpointRequest(
      ...([server, asked(client), clientAuth(client, server)] as const),
      ...([grantType, new URLSearchParams(parameters), optionsFor(way)] as const),
    );
    return processGenericTokenEndpointResponse(server, asked(client), response);
  });
}

/** RFC 7009: resolves when the server says that the token is worth nothing any more. */
export async function revokeToken(
  way: Way,
  token: string,
  kind: 'refresh_token' | 'access_token',
): Promise<void> {
  const { server, client } = way;
  const options = { ...optionsFor(way), additionalParameters: { token_type_hint: kind } };
  const methods = server.revocation_endpoint_auth_methods_supported;
  const auth = clientAuth(
    client,
    methods === undefined ? server : { ...server, token_endpoint_auth_methods_supported: [...methods] },
  );
  await spoken(async () => {
    await processRevocationResponse(await revocationRequest(server, asked(client), auth, token, options));
  });
}

function asked({ id }: GateClient) {
  return { client_id: id };
}

function optionsFor({ fetch, trustedOrigin }: Way) {
  const send = async (url: string, { method, headers, body }: CustomFetchOptions<'POST', URLSearchParams>) =>
    tidied(await fetch.fetch(url, { method, headers, body: body.toString(), trustedOrigin }));
  // Whether http will do is what the guarded fetch decides, by address.
  // oxlint-disable-next-line typescript/no-deprecated
  return { [customFetch]: send, [allowInsecureRequests]: true };
}

/**
 * Without what the gate does not look at: ID tokens, which say who somebody is there, and challenges, which would
 * hide the error in the body.
 */
async function tidied(response: Response): Promise<Response> {
  const headers = new Headers(response.headers);
  headers.delete('www-authenticate');
  const text = await response.text();
  const { status } = response;
  return new Response(text === '' ? null : withoutIdToken(text), { status, headers });
}

function withoutIdToken(text: string): string {
  try {
    const { id_token: _ignored, ...rest }: Record<string, unknown> = JSON.parse(text);
    return JSON.stringify(rest);
  } catch {
    // The library says what is wrong with it.
    return text;
  }
}

async function granted(ask: () => Promise<TokenEndpointResponse>): Promise<Granted> {
  const found = await spoken(ask);
  if (!isToken(found.access_token)) throw new GrantUnclear('it gave something that no header can carry');
  if (found.token_type !== 'bearer')
    throw new GrantUnclear('its token is of a kind that the gate cannot use');
  const { refresh_token: refreshToken, expires_in: seconds, scope } = found;
  return {
    accessToken: found.access_token,
    refreshToken: refreshToken !== undefined && refreshToken !== '' ? refreshToken : null,
    scopes: scope === undefined ? null : scopesOf(scope),
    // Nobody gives a token that is over: some mean by zero that it never is.
    lifetime: seconds === undefined || seconds <= 0 ? null : seconds * 1000,
  };
}

/** RFC 6750 2.1, but for a length that no server would take in a header. */
function isToken(text: string): boolean {
  return /^[\x21-\x7e]{1,16384}$/.test(text);
}

async function spoken<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ResponseBodyError) {
      const { error: code, error_description: description } = error;
      throw new GrantRefused(quote(code), typeof description === 'string' ? quote(description) : undefined);
    }
    if (error instanceof FetchFailed) throw new GrantUnclear(`${error.host} ${error.message}`);
    if (error instanceof Error && error.cause instanceof Response && error.cause.status !== 200)
      throw new GrantUnclear(`it answered with HTTP ${error.cause.status}`);
    if (error instanceof OperationProcessingError || error instanceof UnsupportedOperationError)
      throw new GrantUnclear(`its answer is not one of OAuth (${error.code ?? 'unknown'})`);
    throw error;
  }
}
