import type { Bus } from '../../platform/bus/contract.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import type { FollowedKeys } from './followed-keys.ts';
import { createHolders } from './holders.ts';
import type { RotationDeps } from './rotation.ts';
import { createSweeper } from './sweeper.ts';

/** How long things take; tests are in a hurry. */
export interface RotationPace {
  /** For answers of other processes. */
  readonly patienceMs?: number;
  readonly batch?: number;
  readonly everyMs?: number;
  readonly leaseSeconds?: number;
}

/** The part of rotations that every process takes: it says which keys it has, and goes on with what others began. */
export function openRotation(o: {
  readonly db: Db;
  readonly keys: FollowedKeys;
  readonly bus: Bus;
  readonly log: Log;
  readonly unsavedUnder?: RotationDeps['unsavedUnder'];
  readonly pace?: RotationPace;
}): RotationDeps & { close(): Promise<void> } {
  const { db, keys, bus, log } = o;
  const { patienceMs, ...pace } = o.pace ?? {};
  const holders = createHolders({ bus, keys, ...(patienceMs === undefined ? {} : { patienceMs }) });
  const sweeper = createSweeper({ db, keys, log, node: bus.node, ...pace });
  return {
    ...{ db, keys, holders, sweeper },
    unsavedUnder: o.unsavedUnder ?? (async () => 0),
    async close() {
      holders.close();
      await sweeper.close();
    },
  };
}
