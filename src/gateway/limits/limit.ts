import type { RateLimitsFile } from '../contract.ts';
import type { Ceiling } from './under-way.ts';

/** What a limit is about. */
export type LimitKind =
  | 'address'
  | 'user'
  | 'group'
  | 'tenant'
  | 'server'
  | 'server_user'
  | 'tool'
  | 'tool_user';

/** So many calls a minute of something, all of them together. */
export interface Limit {
  readonly kind: LimitKind;
  /** Whose: an address, a person, a server; of `…_user` the person, a space, and what they use. */
  readonly id: string;
  readonly perMinute: number;
}

/** A limit has no room for a call. `seconds`: until it may have. */
export interface Over {
  readonly limit: Limit;
  readonly seconds: number;
}

/** How a call stands with one of its limits after it was counted. */
export interface Quota {
  readonly limit: Limit;
  readonly remaining: number;
  /** Until the first of the counted calls counts no longer. */
  readonly seconds: number;
}

/** Whether a call was counted: with all its limits, or with none. `full`: as many are under way as may be. */
export type Verdict =
  | { readonly ok: true; readonly quota: Quota | null }
  | { readonly ok: false; readonly over: Over }
  | { readonly ok: false; readonly over: null; readonly full: Ceiling };

/** A name for a limit's count that no other limit has. */
export function keyOf({ kind, id }: Limit): string {
  return `${kind} ${id}`;
}

/** What is in force at the moment; null where nothing is limited. */
export interface LimitSettings extends RateLimitsFile {
  /** RATE_LIMIT_PER_MINUTE and RATE_LIMIT_PER_IP. */
  readonly perUser: number;
  readonly perAddress: number;
}
