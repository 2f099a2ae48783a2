import type { Clock } from '../platform/clock.ts';
import type { CallRecord } from './contract.ts';
import { timeId } from './time-id.ts';

/** Records a second of requests that prove nobody's name: so many that were refused, and so many that were answered. */
const mostUnproved = { refused: 50, answered: 200 };

/** Why a request is counted instead of recorded; the reason of the one record that tells how many. */
type Why = 'records_bounded' | 'records_full';

/**
 * Requests that are counted instead of recorded, and told of by one record. A flood that proves nobody must not push
 * others' records out, and where there is no room, what is left belongs to calls under way.
 */
export class Unrecorded {
  readonly #clock: Clock;
  readonly #counted = new Map<Why, { readonly first: CallRecord; requests: number }>();
  #second = 0;
  #unproved = { refused: 0, answered: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#counted.size === 0;
  }

  /** Whether this one is counted instead of kept. */
  takes(call: CallRecord, isFull: boolean): boolean {
    const why = this.#why(call, isFull);
    if (why === null) return false;
    const counted = this.#counted.get(why);
    if (counted) counted.requests += 1;
    else this.#counted.set(why, { first: call, requests: 1 });
    return true;
  }

  /** How many there were since the last time, a record for each reason. */
  told(): CallRecord[] {
    const told = [...this.#counted].map(([why, { first, requests }]) => summary(first, why, requests));
    this.#counted.clear();
    return told;
  }

  #why(call: CallRecord, isFull: boolean): Why | null {
    // Calls themselves are refused with that reason; pages and the admin API go on.
    if (isFull && (call.reason === 'records_full' || call.face === 'http')) return 'records_full';
    return call.principal === null && this.#isTooMany(call) ? 'records_bounded' : null;
  }

  #isTooMany(call: CallRecord): boolean {
    const second = Math.floor(this.#clock() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#unproved = { refused: 0, answered: 0 };
    }
    const kind = call.status >= 400 ? 'refused' : 'answered';
    this.#unproved[kind] += 1;
    return this.#unproved[kind] > mostUnproved[kind];
  }
}

/** Whose they were is not known any more. */
function summary(first: CallRecord, why: Why, requests: number): CallRecord {
  return {
    ...first,
    ...{ id: timeId(first.at), requestId: '-', principal: null, authSource: null, tenant: null },
    ...{ httpMethod: '-', endpoint: '*', rpcMethod: null, server: null, tool: null, milliseconds: 0 },
    ...{ bytesIn: 0, bytesOut: 0, userAgent: null, clientIp: null, credentialId: null },
    reason: why,
    outcome: why === 'records_full' ? 'error' : 'rate_limited',
    arguments: JSON.stringify({ requests }),
  };
}
