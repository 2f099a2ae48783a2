import type { OAuthSettings } from '../accounts.ts';
import type { Discovered } from './discovery.ts';

/** What is asked for: the operator's list, else the server's; undefined leaves it to the authorization server. */
export function scopesFor({ scopes, server }: Discovered, settings: OAuthSettings): string[] | undefined {
  const chosen = settings.scopes ?? scopes;
  if (chosen === undefined || chosen.length === 0) return undefined;
  // Without it some servers give no refresh token, and everybody would have to sign in every hour.
  const offline = server.scopes_supported?.includes('offline_access') ? ['offline_access'] : [];
  return [...new Set([...chosen, ...offline])];
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
