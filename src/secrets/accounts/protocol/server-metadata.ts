import type { AuthorizationServer } from 'oauth4webapi';
import { z } from 'zod';
import type { GuardedFetch } from '../../../platform/guarded-fetch.ts';
import { quote, serverUnsafe } from '../errors.ts';
import { fetchJson } from './fetch-json.ts';

/** An authorization server that has been found fit to sign in at. */
export type SignInServer = AuthorizationServer & {
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
};

const names = z.array(z.string()).optional();
const url = z.string().max(2000);

// Only what is used: nothing else of the document is kept.
const document = z.object({
  issuer: url,
  authorization_endpoint: url,
  token_endpoint: url,
  registration_endpoint: url.optional(),
  revocation_endpoint: url.optional(),
  scopes_supported: names,
  response_types_supported: names,
  grant_types_supported: names,
  token_endpoint_auth_methods_supported: names,
  revocation_endpoint_auth_methods_supported: names,
  code_challenge_methods_supported: names,
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  client_id_metadata_document_supported: z.boolean().optional(),
});

/** The metadata of an issuer, wherever the specification lets it be; undefined where there is none. */
export async function askIssuer(
  fetch: Pick<GuardedFetch, 'fetch'>,
  issuer: string,
  trustedOrigin: string | null,
): Promise<SignInServer | undefined> {
  for (const place of placesOf(issuer)) {
    const found = await fetchJson(fetch, place, trustedOrigin);
    if (!isMetadata(found)) continue;
    // RFC 8414 3.3: whoever answers for somebody else is not believed.
    if (!isSameIssuer(found.issuer, issuer)) throw serverUnsafe(issuer, otherIssuer(found.issuer));
    const known = document.safeParse(found);
    if (!known.success) throw serverUnsafe(issuer, 'its metadata lacks what is needed to sign in');
    return approved(withoutGaps(known.data));
  }
  return undefined;
}

/** RFC 8414 3.1 and OpenID Connect Discovery, in the order of the MCP specification. */
function placesOf(issuer: string): string[] {
  const base = URL.parse(issuer);
  // RFC 8414 2: no query and no fragment. http is what guarded-fetch decides about.
  if (!base || !/^https?:$/.test(base.protocol) || base.search || base.hash) {
    throw serverUnsafe(issuer, 'that is not the address of an authorization server');
  }
  const path = base.pathname.replace(/\/$/, '');
  const wellKnown = `${base.origin}/.well-known`;
  const inserted = [
    `${wellKnown}/oauth-authorization-server${path}`,
    `${wellKnown}/openid-configuration${path}`,
  ];
  return path === '' ? inserted : [...inserted, `${base.origin}${path}/.well-known/openid-configuration`];
}

function isMetadata(found: unknown): found is { issuer: string } {
  return typeof found === 'object' && found !== null && 'issuer' in found && typeof found.issuer === 'string';
}

function otherIssuer(stated: string): string {
  return `its metadata is of ${quote(stated)}; if people are to sign in there, state that as the issuer in the account settings of the server`;
}

/** Identical, but for the slash of an empty path, which URL libraries put there or not. */
function isSameIssuer(stated: string, expected: string): boolean {
  return stated === expected || URL.parse(stated)?.href === URL.parse(expected)?.href;
}

/** Throws `account_server_unsafe` where the authorization code could be stolen, or the browser sent elsewhere. */
function approved(server: SignInServer): SignInServer {
  const { issuer } = server;
  if (!server.code_challenge_methods_supported?.includes('S256')) {
    const why =
      'it does not say that it protects sign-ins with PKCE (S256), which the MCP specification makes a condition';
    throw serverUnsafe(issuer, why);
  }
  if (server.response_types_supported?.includes('code') === false)
    throw serverUnsafe(issuer, 'it knows no authorization code');
  const endpoints = [server.authorization_endpoint, server.token_endpoint, server.registration_endpoint];
  for (const endpoint of [...endpoints, server.revocation_endpoint]) {
    if (endpoint !== undefined && !isSafeEndpoint(endpoint, issuer))
      throw serverUnsafe(issuer, 'one of its endpoints has no https address');
  }
  return server;
}

/** https; http only where the issuer itself is reached so, which the operator has to have allowed. */
function isSafeEndpoint(endpoint: string, issuer: string): boolean {
  const protocol = URL.parse(endpoint)?.protocol;
  return protocol === 'https:' || (protocol === 'http:' && URL.parse(issuer)?.protocol === 'http:');
}

/** The same without the keys that were not there, as the library's types want it. */
function withoutGaps(server: z.infer<typeof document>): SignInServer {
  // Only keys whose value is undefined go, and no required one can be.
  return Object.fromEntries(
    Object.entries(server).filter(([, value]) => value !== undefined),
  ) as SignInServer;
}
