import type { OAuthSettings } from '../accounts.ts';
import type { Discovered } from './discovery.ts';

const mostScopes = 100;
const mostCharacters = 4_000;

/**
 * What is asked for: the operator's list and nothing else; without one the server's, and what is wanted besides;
 * undefined leaves it to the authorization server.
 */
export function scopesFor(
  { scopes, server }: Discovered,
  settings: OAuthSettings,
  besides: readonly string[] = [],
): string[] | undefined {
  const chosen = settings.scopes ?? [...(scopes ?? []), ...besides];
  if (chosen.length === 0) return undefined;
  // Without it some servers give no refresh token, and everybody would have to sign in every hour.
  const offline = server.scopes_supported?.includes('offline_access') ? ['offline_access'] : [];
  return [...new Set([...bounded(chosen), ...offline])];
}

/** As many as an address may hold. */
function bounded(scopes: readonly string[]): string[] {
  let length = 0;
  return [...new Set(scopes)].slice(0, mostScopes).filter((scope) => {
    length += scope.length + 1;
    return length <= mostCharacters;
  });
}

/** Where the browser goes (RFC 6749 4.1.1, RFC 7636, RFC 8707). */
export function authorizationUrl(
  { server, indicator }: Discovered,
  settings: OAuthSettings,
  o: {
    client: string;
    redirectUri: string;
    state: string;
    challenge: string;
    scopes: readonly string[] | undefined;
  },
): string {
  const url = new URL(server.authorization_endpoint);
  // OpenID Connect Core 11: consent is asked for anew, or there is no offline access.
  if (o.scopes?.includes('offline_access')) url.searchParams.set('prompt', 'consent');
  for (const [name, value] of Object.entries(settings.authorizeParams ?? {}))
    url.searchParams.set(name, value);
  // Last, so that nothing takes their place.
  url.searchParams.set('response_type', 'code');
  url.searchParams.set('client_id', o.client);
  url.searchParams.set('redirect_uri', o.redirectUri);
  url.searchParams.set('state', o.state);
  url.searchParams.set('code_challenge', o.challenge);
  url.searchParams.set('code_challenge_method', 'S256');
  url.searchParams.set('resource', indicator);
  if (o.scopes) url.searchParams.set('scope', o.scopes.join(' '));
  return url.href;
}
