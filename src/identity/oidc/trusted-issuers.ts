import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { OidcIssuer } from '../contract.ts';
import type { FetchJson } from './fetch-json.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import { type Authority, shapes, type TokenShape } from '../providers/shapes.ts';

/** A configured issuer in one of the spellings in which its tokens name it. */
export interface TrustedIssuer {
  readonly config: OidcIssuer;
  readonly shape: TokenShape;
  readonly authority: Authority;
  readonly keys: KeySet;
}

export interface TrustedIssuers {
  /** By the exact `iss`. What it returned before counts only as long as `generation()` stays the same. */
  find(iss: string): TrustedIssuer | undefined;
  /** A different object after every change of the configuration. */
  generation(): unknown;
}

interface Deps {
  /** The same array until the configuration changes. */
  readonly issuers: () => readonly OidcIssuer[];
  readonly fetchJson: FetchJson;
  readonly clock: Clock;
  readonly log: Log;
}

export function createTrustedIssuers(deps: Deps): TrustedIssuers {
  let seen: readonly OidcIssuer[] | undefined;
  let byIss = new Map<string, TrustedIssuer>();
  let keySets = new Map<string, KeySet>();

  function renew(issuers: readonly OidcIssuer[]): void {
    const all = issuers.flatMap((config) => {
      const shape = shapes[config.kind];
      return shape.authorities(config.issuer).map((authority) => ({ config, shape, authority }));
    });
    // Keys outlive a change of the configuration, so that a reload costs nobody a failed sign-in.
    const kept = new Map(
      all.map(({ config, authority }) => [keysId(config, authority), keysOf(config, authority)]),
    );
    byIss = new Map(
      all.map((one) => [one.authority.iss, { ...one, keys: keysOf(one.config, one.authority) }]),
    );
    keySets = kept;
    seen = issuers;
  }

  function keysOf(config: OidcIssuer, authority: Authority): KeySet {
    const id = keysId(config, authority);
    const known = keySets.get(id);
    if (known !== undefined) return known;
    const { jwksUri } = config;
    const locate = async () => jwksUri ?? discover(authority, deps.fetchJson);
    const created = createKeySet({ ...deps, issuer: authority.iss, locate });
    keySets.set(id, created);
    return created;
  }

  function current(): Map<string, TrustedIssuer> {
    const issuers = deps.issuers();
    if (issuers !== seen) renew(issuers);
    return byIss;
  }

  return { find: (iss) => current().get(iss), generation: current };
}

function keysId(config: OidcIssuer, authority: Authority): string {
  return config.jwksUri ?? authority.discovery;
}

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** OpenID Connect Discovery 1.0, section 4.3: the document must speak of the issuer that it was asked for. */
async function discover(authority: Authority, fetchJson: FetchJson): Promise<string> {
  const { issuer, jwks_uri } = discovered.parse(await fetchJson(authority.discovery));
  if (issuer !== authority.iss)
    throw new Error(`the discovery document of ${authority.iss} names another issuer`);
  if (authority.discovery.startsWith('https:') && !jwks_uri.startsWith('https:')) {
    throw new Error(`the discovery document of ${authority.iss} names keys without https`);
  }
  return jwks_uri;
}
