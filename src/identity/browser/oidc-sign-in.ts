// Signing in at a configured issuer: authorization code with PKCE, state, nonce and `iss` (RFC 9700, OpenID Connect
// Core). What comes of it is the same person as the issuer's access tokens stand for.
import * as client from 'openid-client';
import type { Clock } from '../../platform/clock.ts';
import { AppError, messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { OidcIssuer } from '../contract.ts';
import type { Attempt } from './visitors.ts';

/** An issuer that people may sign in at. */
export type SignInIssuer = OidcIssuer & { readonly signIn: NonNullable<OidcIssuer['signIn']> };

export interface OidcSignIn {
  /** Where the browser goes, and what is remembered of it. `anew`: not as whoever is signed in there. */
  begin(
    issuer: SignInIssuer,
    o: { readonly anew: boolean },
  ): Promise<{ url: string } & Pick<Attempt, 'state' | 'nonce' | 'verifier'>>;
  /** The verified claims of the ID token that the browser came back for. Rejects with `sign_in_failed`. */
  finish(issuer: SignInIssuer, attempt: Attempt, query: URLSearchParams): Promise<client.IDToken>;
}

export const signInCallback = '/gateway/sign-in/callback';

const timeoutSeconds = 8;
const freshMs = 10 * 60_000;

export function canSignIn(issuer: OidcIssuer): issuer is SignInIssuer {
  return issuer.signIn !== undefined;
}

export function createOidcSignIn(o: {
  publicUrl: string;
  fetch: typeof fetch;
  clock: Clock;
  log: Log;
}): OidcSignIn {
  const redirectUri = new URL(signInCallback, o.publicUrl).href;
  // By the entry of the config file: another content is another entry.
  const known = new WeakMap<
    SignInIssuer,
    { readonly until: number; readonly found: Promise<client.Configuration> }
  >();

  function configurationOf(issuer: SignInIssuer): Promise<client.Configuration> {
    const kept = known.get(issuer);
    if (kept && o.clock() < kept.until) return kept.found;
    const found = discover(issuer, o.fetch);
    known.set(issuer, { found, until: o.clock() + freshMs });
    found.catch(() => known.delete(issuer));
    return found;
  }

  function failed(issuer: SignInIssuer, error: unknown): AppError {
    o.log.warn({ issuer: issuer.name, error: messageOf(error), ...factsOf(error) }, 'a sign-in failed');
    return new AppError('sign_in_failed', 400, sentenceFor(error), { cause: error });
  }

  return {
    async begin(issuer, { anew }) {
      const config = await configurationOf(issuer).catch((error: unknown) => {
        throw failed(issuer, error);
      });
      const [state, nonce, verifier] = [
        client.randomState(),
        client.randomNonce(),
        client.randomPKCECodeVerifier(),
      ];
      const url = client.buildAuthorizationUrl(config, {
        ...{ redirect_uri: redirectUri, scope: issuer.signIn.scopes.join(' '), state, nonce },
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(anew && { prompt: issuer.kind === 'entra' ? 'select_account' : 'login' }),
      });
      return { url: url.href, state, nonce, verifier };
    },
    async finish(issuer, { state, nonce, verifier }, query) {
      try {
        const tokens = await client.authorizationCodeGrant(
          await configurationOf(issuer),
          new URL(`${redirectUri}?${query}`),
          { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
        );
        const claims = tokens.claims();
        if (claims?.iss === issuer.issuer) return claims;
        throw new Error(`the ID token names another issuer: ${claims?.iss}`);
      } catch (error) {
        throw failed(issuer, error);
      }
    },
  };
}

async function discover(issuer: SignInIssuer, doFetch: typeof fetch): Promise<client.Configuration> {
  const { clientId, clientSecret } = issuer.signIn;
  const url = new URL(issuer.issuer);
  // The operator wrote the URL: http is for a sign-in service on the same machine, or a test of one. Marked as
  // deprecated only to stand out.
  // oxlint-disable-next-line typescript/no-deprecated
  const insecure = url.protocol === 'http:' ? [client.allowInsecureRequests] : [];
  const customFetch: client.CustomFetch = (...[to, init]) => doFetch(to, init as RequestInit);
  const found = await client.discovery(url, clientId, undefined, client.None(), {
    execute: insecure,
    timeout: timeoutSeconds,
    [client.customFetch]: customFetch,
  });
  const server = found.serverMetadata();
  const config = new client.Configuration(server, clientId, {}, authOf(clientSecret, server));
  config.timeout = timeoutSeconds;
  config[client.customFetch] = customFetch;
  // oxlint-disable-next-line typescript/no-deprecated
  for (const allow of insecure) allow(config);
  // The signature is checked as well, and not only where the token came from.
  client.enableNonRepudiationChecks(config);
  return config;
}

function authOf(secret: string | undefined, server: client.ServerMetadata): client.ClientAuth {
  if (secret === undefined) return client.None();
  // OpenID Connect Discovery 1.0, section 3: without a list it is the header.
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_post')
    ? client.ClientSecretPost(secret)
    : client.ClientSecretBasic(secret);
}

function sentenceFor(error: unknown): string {
  if (!(error instanceof client.AuthorizationResponseError))
    return 'The sign-in service could not confirm who you are; try again, and tell an administrator if it goes on.';
  if (error.error === 'access_denied')
    return 'You were not signed in: it was cancelled, or is not allowed for you.';
  return 'The sign-in service did not let you in; try again, and tell an administrator if it goes on.';
}

/** What an administrator needs to mend it; neither code nor token stands in these. */
function factsOf(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof client.AuthorizationResponseError || error instanceof client.ResponseBodyError)
    return { code: error.error, description: error.error_description };
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const { cause } = error instanceof Error ? error : {};
  return { code, because: cause === undefined ? undefined : messageOf(cause) };
}
