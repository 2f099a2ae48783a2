import type { RecordText } from './hashes.ts';

/** What the record of an erasure left of a part: its id, the name of the part, and the hash of the text. */
export type Left = readonly [erasure: string, part: string, left: string];

/** One place in the chain, with the record that belongs there; hashes in hexadecimal. */
export interface ChainRow extends RecordText {
  readonly seq: number;
  /** The id of the record that the place is for. */
  readonly record: string;
  /** Null where the record is gone. */
  readonly found: string | null;
  readonly salts: readonly (string | null)[];
  readonly commitments: readonly string[];
  /** What erasures left here, the oldest first; null where that was never written down. */
  readonly erasures: readonly Left[] | null;
  readonly digest: string;
  readonly previous: string;
  readonly hash: string;
  /** What shows the record otherwise than what was hashed; only where there are two texts of it. */
  readonly shownOtherwise?: string | undefined;
}

export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** Where a chain is read from: the database, or an export of it. */
export interface ChainSource {
  /** Every place, in order. */
  rows(): AsyncIterable<ChainRow>;
  /** The hash at each of these places that is there. */
  hashesAt(places: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** Is there a place, wherever, with this hash? */
  hasHash(hash: string): Promise<boolean>;
  /** The first record that has no place in the chain: it was added without it, or its place was deleted. */
  findUnchained(): Promise<string | undefined>;
}
