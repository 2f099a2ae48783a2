import type { Cgroups } from './cgroups.ts';
import type { OtherUser } from './other-user.ts';

/** What stands between a server and the rest of the machine, the best first. */
export const wallKinds = ['bubblewrap', 'unshare', 'none'] as const;
export type Walls = (typeof wallKinds)[number];

/** What this system offers to hold servers with, each thing tried rather than looked up. */
export interface System {
  readonly walls: Walls;
  /** setpriv(1) is there: a process can be kept from ever gaining a right. */
  readonly setpriv: boolean;
  /** Whom servers run as where that breaks nothing; null: as the runner. */
  readonly user: OtherUser | null;
  readonly cgroups: Cgroups | undefined;
  /** Other processes can be looked at, so that what nothing else counts can be. */
  readonly seesProcesses: boolean;
  /** A server can be kept from every network. */
  readonly closesNetwork: boolean;
  /** Each server is in a user namespace, in which its processes are counted by themselves. */
  readonly countsOwnProcesses: boolean;
}
