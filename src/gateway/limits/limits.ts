import type { Clock } from '../../platform/clock.ts';
import type { Turn } from '../../platform/http/server.ts';
import { addressLimit } from './address.ts';
import { CallCounts } from './call-counts.ts';
import { limitHeaders } from './headers.ts';
import { keyOf, type Limit, type LimitSettings, type Over } from './limit.ts';
import { Refused } from './refused.ts';
import type { SharedCounts } from './shared-counts.ts';
import { type Ceiling, UnderWay } from './under-way.ts';

/** Everything that is counted so that nobody takes what is for all. */
export class Limits {
  readonly calls: CallCounts;
  readonly underWay = new UnderWay();
  readonly refused: Refused;

  constructor(o: { clock: Clock; shared: SharedCounts | null }) {
    this.calls = new CallCounts(o);
    this.refused = new Refused(o.clock);
  }

  /** Notes that a limit refused a call, which counts for no other limit. */
  isOver({ limit, seconds }: Over, turn: Turn | undefined): void {
    this.refused.note(limit.kind, keyOf(limit));
    if (!turn) return;
    turn.isCounted = true;
    turn.tell(limitHeaders({ limit, remaining: 0, seconds }));
  }

  isFull({ kind, id }: Ceiling, turn: Turn | undefined): void {
    this.refused.note(`${kind}_at_once`, `${kind} ${id}`);
    if (turn) turn.isCounted = true;
  }

  close(): Promise<void> {
    return this.calls.close();
  }
}

/** What one address may ask, at the door: before anybody knows who is calling. */
export interface AddressDoor {
  /** Seconds to wait when it has asked too often, else 0. */
  limit(address: string, authorization: string | undefined): number;
  count(address: string, authorization: string | undefined): void;
  limitHeaders(seconds: number): Readonly<Record<string, string>>;
}

/** `isExempt`: a credential that many people are behind, who have limits of their own. */
export function addressDoor(
  { limits, settings }: { limits: Limits; settings: { rateLimits(): LimitSettings | null } },
  isExempt: (authorization: string | undefined) => boolean,
): AddressDoor {
  const limitOf = (address: string): Limit | undefined => {
    const perAddress = settings.rateLimits()?.perAddress;
    return perAddress === undefined ? undefined : addressLimit(address, perAddress);
  };
  return {
    limit(address, authorization) {
      const limit = limitOf(address);
      const over = limit && limits.calls.over([limit]);
      if (!over || isExempt(authorization)) return 0;
      limits.isOver(over, undefined);
      return over.seconds;
    },
    count(address, authorization) {
      const limit = limitOf(address);
      if (limit && !isExempt(authorization)) limits.calls.add([limit]);
    },
    limitHeaders(seconds) {
      const limit = limitOf('');
      return limit ? limitHeaders({ limit, remaining: 0, seconds }) : {};
    },
  };
}
