import type { Db } from '../../src/platform/db/index.ts';
import type { Target } from './world.ts';

/** How one function of a store is tried. */
export interface Entry {
  /** Whose work it is; `none`: it asks the database for nothing of anybody. */
  readonly scope: 'tenant' | 'operator' | 'none';
  /** Calls it for what `it` names. */
  readonly call: (db: Db, it: Target) => Promise<unknown>;
  /** Nobody can tell from outside that it did something. */
  readonly isSilent?: true;
}

export function tenant(call: Entry['call']): Entry {
  return { scope: 'tenant', call };
}

export function operator(call: Entry['call']): Entry {
  return { scope: 'operator', call };
}

/** What shows nothing that others do not see, and changes nothing that is kept: locks, above all. */
export function silent(scope: 'tenant' | 'operator', call: Entry['call']): Entry {
  return { scope, call, isSilent: true };
}

export const touchesNothing: Entry = { scope: 'none', call: async () => undefined };
