import type { Clock } from '../../platform/clock.ts';
import type { Turn } from '../../platform/http/server.ts';
import { addressLimit } from './address.ts';
import { sayAgainMs } from './count-script.ts';
import { CallCounts } from './call-counts.ts';
import { limitHeaders } from './headers.ts';
import { keyOf, type Limit, type LimitSettings, type Over, type Verdict } from './limit.ts';
import { Refused } from './refused.ts';
import type { SharedCounts } from './shared-counts.ts';
import { type Ceiling, UnderWay } from './under-way.ts';

/** Everything that is counted so that nobody takes what is for all. */
export class Limits {
  readonly calls: CallCounts;
  readonly underWay: UnderWay;
  readonly refused: Refused;
  readonly #saying: NodeJS.Timeout | undefined;

  constructor({ clock, shared }: { clock: Clock; shared: SharedCounts | null }) {
    this.calls = new CallCounts({ clock, shared });
    this.refused = new Refused(clock);
    // What is lost is said again soon, and the link has logged why.
    this.underWay = new UnderWay((held) => {
      if (shared?.isUsable()) shared.tell(held).catch(() => undefined);
    });
    const sayAll = () => {
      if (shared?.isUsable()) shared.tellAll(this.underWay.all()).catch(() => undefined);
    };
    if (shared) this.#saying = setInterval(sayAll, sayAgainMs).unref();
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
    clearInterval(this.#saying);
    return this.calls.close();
  }
}

/** What one address may ask, at the door: before anybody knows who is calling. */
export interface AddressDoor {
  /** Seconds to wait when it has asked too often, else 0. */
  limit(address: string, authorization: string | undefined): number;
  /** Counts it; seconds to wait when all replicas together have no room for it, else 0. */
  count(address: string, authorization: string | undefined): Promise<number> | number;
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
  const waitOf = (verdict: Verdict) => {
    if (verdict.ok || !verdict.over) return 0;
    limits.isOver(verdict.over, undefined);
    return verdict.over.seconds;
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
      if (!limit || isExempt(authorization)) return 0;
      const verdict = limits.calls.take([limit]);
      return verdict instanceof Promise ? verdict.then(waitOf) : waitOf(verdict);
    },
    limitHeaders(seconds) {
      const limit = limitOf('');
      return limit ? limitHeaders({ limit, remaining: 0, seconds }) : {};
    },
  };
}
