import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { type Clock, isAhead } from '../../platform/clock.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { issuerUnreachable } from '../errors.ts';
import type { FetchJson } from './fetch-json.ts';

const freshForMs = 10 * 60_000;
/** How long the last keys count while the provider cannot be asked for new ones. */
const usableForMs = 24 * 3_600_000;
/** Made-up key ids must not become a stream of requests to the provider. */
const cooldownMs = 30_000;
const retryAfterMs = 5_000;

const jwks = z.object({
  keys: z.array(z.looseObject({ kid: z.string().optional(), issuer: z.string().optional() })).max(500),
});

/** The signing keys of one authority: loaded at first use, renewed by age and when an unknown key id appears. */
export interface KeySet {
  /** For `jwtVerify`. Rejects with `identity_unavailable` (503) while no keys could be had. */
  readonly find: JWTVerifyGetKey;
  /** The issuers that the keys with this id are confined to: Entra states them, others do not. */
  issuersOf(kid: string | undefined): string[];
}

interface Deps {
  readonly issuer: string;
  /** Finds the `jwks_uri`. */
  readonly locate: () => Promise<string>;
  readonly fetchJson: FetchJson;
  readonly clock: Clock;
  readonly log: Log;
}

interface Loaded {
  readonly find: JWTVerifyGetKey;
  readonly keys: z.infer<typeof jwks>['keys'];
  readonly at: number;
}

export function createKeySet(deps: Deps): KeySet {
  let loaded: Loaded | undefined;
  let mayTryAt = 0;
  let loading: Promise<void> | undefined;

  async function load(): Promise<void> {
    try {
      const document = await deps.fetchJson(await deps.locate());
      const { keys } = jwks.parse(document);
      // jose checks each key itself when it is used; the parse above has made sure that there is a list of objects.
      loaded = { find: createLocalJWKSet({ keys } as JSONWebKeySet), keys, at: deps.clock() };
      mayTryAt = deps.clock() + cooldownMs;
    } catch (error) {
      mayTryAt = deps.clock() + retryAfterMs;
      deps.log.warn(
        { issuer: deps.issuer, error: messageOf(error) },
        'the signing keys of an issuer could not be fetched',
      );
    }
  }

  async function loadUnlessJustTried(): Promise<void> {
    if (loading === undefined && isAhead(mayTryAt, deps.clock(), cooldownMs)) return;
    await (loading ??= load().finally(() => (loading = undefined)));
  }

  /** The keys to use at this moment; the last good ones while there are no newer ones. */
  async function usable(): Promise<Loaded> {
    if (loaded === undefined || deps.clock() - loaded.at >= freshForMs) await loadUnlessJustTried();
    if (loaded === undefined || deps.clock() - loaded.at >= usableForMs) throw issuerUnreachable(deps.issuer);
    return loaded;
  }

  return {
    async find(header, token) {
      try {
        return await (await usable()).find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        await loadUnlessJustTried();
        return (await usable()).find(header, token);
      }
    },
    issuersOf: (kid) =>
      (loaded?.keys ?? []).flatMap((key) =>
        key.kid === kid && key.issuer !== undefined ? [key.issuer] : [],
      ),
  };
}
