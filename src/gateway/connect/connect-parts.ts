import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { Accounts, Exchanges } from '../../secrets/index.ts';
import { type ConnectLinks, createConnectLinks } from './links.ts';
import { type SignCaller, SignedCallers } from './signed-callers.ts';

/** What the data plane knows of people's accounts at servers. */
export interface ConnectParts {
  readonly accounts: Accounts;
  readonly exchanges: Exchanges;
  readonly links: ConnectLinks;
  readonly signedCallers: SignedCallers;
  /** Seals what a modern client brings back after it was asked to open a link. */
  readonly sealer: Sealer;
  readonly waits: ConnectWaits;
  /** How often somebody was asked for the same further permissions within an hour. */
  readonly asked: LRUCache<string, number>;
}

/** How long a call waits for its caller to connect, in milliseconds. */
export interface ConnectWaits {
  /** Where the answer is an event stream, which says all the time that it is alive. */
  readonly streaming: number;
  /** Where nothing is said before the answer: proxies give up after a minute. */
  readonly silent: number;
}

const waits: ConnectWaits = { streaming: 5 * 60_000, silent: 45_000 };

export function createConnectParts(o: {
  accounts: Accounts;
  exchanges: Exchanges;
  sign?: SignCaller | undefined;
  publicUrl: string;
  sealerFor: (purpose: string) => Sealer;
  clock: Clock;
  waits?: Partial<ConnectWaits> | undefined;
}): ConnectParts {
  return {
    accounts: o.accounts,
    exchanges: o.exchanges,
    signedCallers: new SignedCallers(o.sign),
    links: createConnectLinks({
      publicUrl: o.publicUrl,
      sealer: o.sealerFor('connect-link'),
      clock: o.clock,
    }),
    sealer: o.sealerFor('connect-state'),
    waits: { ...waits, ...o.waits },
    asked: new LRUCache({ max: 10_000, ttl: 3_600_000 }),
  };
}
