import { LRUCache } from 'lru-cache';
import type { Clock } from '../../../platform/clock.ts';
import { FetchFailed, type GuardedFetch } from '../../../platform/guarded-fetch.ts';
import type { AccountServer } from '../accounts.ts';
import { discoveryFailed, issuerUnreachable, serverUnsafe } from '../errors.ts';
import { askResource, type ResourceFacts } from './resource-metadata.ts';
import { askIssuer, type SignInServer } from './server-metadata.ts';

export interface Discovered {
  readonly server: SignInServer;
  /** The `resource` parameter for tokens of this server. */
  readonly indicator: string;
  readonly scopes: readonly string[] | undefined;
}

export interface Signposts extends Pick<Discovered, 'indicator' | 'scopes'> {
  /** At least one, at most three, in the order of the server. */
  readonly issuers: readonly string[];
  readonly trustedOrigin: string | null;
}

/** Where people sign in, remembered for a while. */
export interface Discovery {
  /** What a server says about signing in, before anything is asked elsewhere. Rejects with `account_discovery_failed`. */
  signposts(server: AccountServer): Promise<Signposts>;
  /** For a server, at the first authorization server that it names. Rejects with `account_discovery_failed`, `account_server_unsafe` or `account_server_away`. */
  ofServer(server: AccountServer): Promise<Discovered>;
  /** The metadata of an issuer that was found before; what was last known of it while it does not answer. */
  ofIssuer(issuer: string, trustedOrigin: string | null): Promise<SignInServer>;
}

const mostIssuers = 3;
const most = 500;
const freshMs = 10 * 60_000;
const keptMs = 24 * 3_600_000;

interface Known<T> {
  readonly value: T;
  readonly at: number;
}

export function createDiscovery(fetch: Pick<GuardedFetch, 'fetch'>, clock: Clock): Discovery {
  const resources = new LRUCache<string, Known<ResourceFacts>>({ max: most });
  const issuers = new LRUCache<string, Known<SignInServer>>({ max: most });

  async function factsOf(server: AccountServer, trustedOrigin: string | null): Promise<ResourceFacts> {
    const key = `${trustedOrigin !== null} ${server.url}`;
    const known = resources.get(key);
    if (known && clock() - known.at < freshMs) return known.value;
    try {
      const value = await askResource(fetch, server, trustedOrigin);
      resources.set(key, { value, at: clock() });
      return value;
    } catch (error) {
      if (error instanceof FetchFailed) throw discoveryFailed(server.id, `${error.host} ${error.message}`);
      throw error;
    }
  }

  async function ofIssuer(issuer: string, trustedOrigin: string | null): Promise<SignInServer> {
    const key = `${trustedOrigin ?? ''} ${issuer}`;
    const known = issuers.get(key);
    if (known && clock() - known.at < freshMs) return known.value;
    try {
      const value = await askIssuer(fetch, issuer, trustedOrigin);
      if (!value) throw serverUnsafe(issuer, 'it publishes no metadata');
      issuers.set(key, { value, at: clock() });
      return value;
    } catch (error) {
      if (!(error instanceof FetchFailed)) throw error;
      if (known && clock() - known.at < keptMs) return known.value;
      throw issuerUnreachable(issuer, error.message);
    }
  }

  async function signposts(server: AccountServer): Promise<Signposts> {
    const { origin } = new URL(server.url);
    const trustedOrigin = server.trusted ? origin : null;
    const { indicator, scopes, issuers: named } = await factsOf(server, trustedOrigin);
    const { issuer } = server.settings;
    // Before the revision 2025-06-18 the server's own origin was its authorization server.
    const all = issuer === undefined ? [...new Set(named)] : [issuer];
    return {
      indicator,
      scopes,
      trustedOrigin,
      issuers: all.length === 0 ? [origin] : all.slice(0, mostIssuers),
    };
  }

  return {
    ofIssuer,
    signposts,
    async ofServer(server) {
      const { issuers, trustedOrigin, ...facts } = await signposts(server);
      return { ...facts, server: await ofIssuer(issuers[0] ?? '', trustedOrigin) };
    },
  };
}
