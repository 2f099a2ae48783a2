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

/** Where people sign in, remembered for a while. */
export interface Discovery {
  /** For a server. Rejects with `account_discovery_failed`, `account_server_unsafe` or `account_server_away`. */
  ofServer(server: AccountServer): Promise<Discovered>;
  /** The metadata of an issuer that was found before; what was last known of it while it does not answer. */
  ofIssuer(issuer: string, trustedOrigin: string | null): Promise<SignInServer>;
}

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

  return {
    ofIssuer,
    async ofServer(server) {
      const { origin } = new URL(server.url);
      const trustedOrigin = server.trusted ? origin : null;
      const { indicator, scopes, issuers: named } = await factsOf(server, trustedOrigin);
      // Before the revision 2025-06-18 the server's own origin was its authorization server.
      const issuer = server.settings.issuer ?? named[0] ?? origin;
      return { server: await ofIssuer(issuer, trustedOrigin), indicator, scopes };
    },
  };
}
