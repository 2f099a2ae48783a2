import type { Filled, SnapshotServer } from '../../access/index.ts';

/** A server as somebody reaches it. */
export interface Reached {
  readonly server: SnapshotServer;
  readonly filled: Filled;
}

/** What somebody is offered who has to connect an account before a server can be used. */
export interface Offer extends Reached {
  /** Why the account that was there does not count any more; undefined: there was none. */
  readonly problem: string | undefined;
  /** The account is there and lacks permissions. */
  readonly further?: Further;
}

/** Permissions that a server asks for beyond what was granted. */
export interface Further {
  readonly scopes: readonly string[];
  /** When the account that lacks them was connected, in milliseconds: one that was connected later may have them. */
  readonly since: number;
}
