import type { Filled } from '../../access/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Sealer } from '../../platform/sealer.ts';
import { expandEnvironment } from '../../platform/variables.ts';
import type { Accounts, Exchanges } from '../../secrets/index.ts';
import { type ConnectLinks, createConnectLinks } from './links.ts';

/** What the data plane knows of people's accounts at servers. */
export interface ConnectParts {
  readonly accounts: Accounts;
  readonly exchanges: Exchanges;
  readonly links: ConnectLinks;
  /** Seals what a modern client brings back after it was asked to open a link. */
  readonly sealer: Sealer;
  /** The address that is dialled: what tokens are asked for, and the only place that they go to. */
  resourceOf(filled: Filled): string;
  readonly waits: ConnectWaits;
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
  publicUrl: string;
  env: Readonly<Record<string, string | undefined>>;
  sealerFor: (purpose: string) => Sealer;
  clock: Clock;
  waits?: Partial<ConnectWaits> | undefined;
}): ConnectParts {
  // A memo of a pure function, which dies with the picture.
  const resources = new WeakMap<Filled, string>();
  return {
    accounts: o.accounts,
    exchanges: o.exchanges,
    links: createConnectLinks({
      publicUrl: o.publicUrl,
      sealer: o.sealerFor('connect-link'),
      clock: o.clock,
    }),
    sealer: o.sealerFor('connect-state'),
    resourceOf(filled) {
      const known = resources.get(filled);
      if (known !== undefined) return known;
      const { url = '', takesEnvironment } = filled;
      // What may not be filled in is not dialled either: the connection is refused.
      const found = takesEnvironment ? expandEnvironment(url, (name) => o.env[name] ?? '') : url;
      resources.set(filled, found);
      return found;
    },
    waits: { ...waits, ...o.waits },
  };
}
