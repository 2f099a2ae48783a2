import type { Hello } from '../upstreams/handshake.ts';
import type { Target } from '../upstreams/target.ts';
import type { Era } from '../rpc/protocol.ts';
import type { ListItem } from './fetch-list.ts';
import type { ListKind } from './kinds.ts';

/** Who asks for lists, and through which connection. */
export interface Asker {
  /** Of the connection: target, era and, for the legacy era, the client's capabilities. */
  readonly key: string;
  /** The same for all who may be shown one another's lists; undefined: nobody may. */
  readonly family: string | undefined;
  readonly target: Target;
  readonly prefer: Era;
  readonly capabilities: string;
}

/** What is known of one server through one connection: last known lists outlive the connection. */
export interface Known extends Asker {
  hello: Hello | undefined;
  /** A kind that is missing was never seen. */
  readonly lists: Map<ListKind, readonly ListItem[]>;
  /** What is shown was lent by one of the family: no connection was ever made for it, or the one that was is gone. */
  lent: Lent | undefined;
  /** When to ask again, in milliseconds since the epoch; 0: at once. */
  freshUntil: number;
  /** Why the last attempt failed; undefined while all is well. */
  failure: Error | undefined;
  failedSince: number | undefined;
  loading: Promise<void> | undefined;
  /** When the last look began, or an earlier one at the same server that is still under way, in milliseconds since the epoch. */
  askedAt: number;
  /** When the server last answered, in milliseconds since the epoch. */
  seenAt: number;
  /** The server said that something changed, and has not been asked since. */
  outdated: boolean;
  /** Runs for a moment after each look that an announcement caused. */
  pause: NodeJS.Timeout | undefined;
  /** Lists that the server said have changed, whether they look different or not. */
  readonly announced: Set<ListKind>;
}

/** What a connection showed before it served anybody, to be shown to its family. */
export interface Lent {
  readonly hello: Hello;
  /** A kind that is missing is its owner's alone. */
  readonly lists: ReadonlyMap<ListKind, readonly ListItem[]>;
  readonly from: Known;
  readonly seenAt: number;
  /** When one of those to whom it is lent is to look anew, in milliseconds since the epoch. */
  lookAfter: number;
}

/** Nothing is known yet. */
export function unknown(asker: Asker): Known {
  return {
    ...asker,
    hello: undefined,
    lists: new Map(),
    lent: undefined,
    freshUntil: 0,
    failure: undefined,
    failedSince: undefined,
    loading: undefined,
    askedAt: 0,
    seenAt: Number.NEGATIVE_INFINITY,
    outdated: false,
    pause: undefined,
    announced: new Set(),
  };
}
