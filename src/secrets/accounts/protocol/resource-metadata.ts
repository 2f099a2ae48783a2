import { z } from 'zod';
import { FetchFailed, type GuardedFetch } from '../../../platform/guarded-fetch.ts';
import type { AccountServer } from '../accounts.ts';
import { type Challenge, isScope, readChallenge } from './challenge.ts';
import { discoveryFailed, quote } from '../errors.ts';
import { fetchJson } from './fetch-json.ts';

/** What a server says about signing in to it. */
export interface ResourceFacts {
  /** The `resource` parameter for its tokens (RFC 8707). */
  readonly indicator: string;
  /** Its authorization servers; empty for a server of the revision 2025-03-26, whose origin is one. */
  readonly issuers: readonly string[];
  /** The scopes that it asks for, if it does. */
  readonly scopes: readonly string[] | undefined;
}

const document = z.object({
  resource: z.string().max(2000),
  authorization_servers: z.array(z.string().max(2000)).max(50).optional(),
  scopes_supported: z.array(z.string()).max(1000).optional().catch(undefined),
});

// Without a token every server that wants one refuses this, and no server begins a session because of it.
const question = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: {} });

type Fetch = Pick<GuardedFetch, 'fetch'>;

/** Asks the server as the authorization part of the MCP specification says: its challenge, then its metadata. */
export async function askResource(
  fetch: Fetch,
  server: AccountServer,
  trustedOrigin: string | null,
): Promise<ResourceFacts> {
  const url = new URL(server.url);
  const challenge = await challengeOf(fetch, server, trustedOrigin);
  for (const place of placesOf(url, challenge.resourceMetadata)) {
    const found = document.safeParse(await fetchJson(fetch, place, trustedOrigin));
    if (!found.success) continue;
    const { resource, authorization_servers: issuers = [], scopes_supported: scopes } = found.data;
    if (!covers(resource, url)) {
      const why = `its metadata is of another address (${quote(resource)})`;
      throw discoveryFailed(server.id, why);
    }
    // A document without one says nothing that helps.
    if (issuers.length === 0) continue;
    return {
      indicator: resource,
      issuers,
      scopes: challenge.scopes ?? scopes?.filter(isScope).slice(0, 100),
    };
  }
  return { indicator: canonical(url), issuers: [], scopes: challenge.scopes };
}

async function challengeOf(
  { fetch }: Fetch,
  server: AccountServer,
  trustedOrigin: string | null,
): Promise<Challenge> {
  try {
    const response = await fetch(server.url, {
      method: 'POST',
      headers: {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'server/discover',
      },
      body: question,
      trustedOrigin,
    });
    return readChallenge(response.status === 401 ? response.headers.get('www-authenticate') : null);
  } catch (error) {
    // A server that answers everybody with a stream does not end it; its metadata may be there all the same.
    if (error instanceof FetchFailed && (error.kind === 'timeout' || error.kind === 'too_large'))
      return readChallenge(null);
    throw error;
  }
}

/** RFC 9728 3.1: the address that the server names, else the one for its path, then the one for its host. */
function placesOf(url: URL, named: string | undefined): string[] {
  const path = url.pathname.replace(/\/$/, '');
  const wellKnown = `${url.origin}/.well-known/oauth-protected-resource`;
  return [
    ...new Set([named ?? [], `${wellKnown}${path}${url.search}`, `${wellKnown}${path}`, wellKnown].flat()),
  ];
}

/**
 * Whether metadata of `resource` speaks for `url`: the same address, or one above it on the same origin. A document of
 * any other would make the gate ask for tokens of a stranger's server (RFC 9728 7.3).
 */
function covers(resource: string, url: URL): boolean {
  const named = URL.parse(resource);
  if (!named || named.origin !== url.origin || named.hash !== '' || named.username || named.password)
    return false;
  if (named.search !== '' && named.search !== url.search) return false;
  const above = named.pathname.replace(/\/$/, '');
  return url.pathname === above || url.pathname.startsWith(`${above}/`);
}

/** The MCP specification prefers the form without a trailing slash where the path is nothing else. */
function canonical(url: URL): string {
  const path = url.pathname === '/' ? '' : url.pathname;
  return `${url.origin}${path}${url.search}`;
}
