import type { z } from 'zod';
import type { Db } from '../../platform/db/index.ts';
import type { anchorPoint, verification } from '../contract.ts';
import {
  type ChainRow,
  findUnchained,
  type Head,
  hashesAt,
  hasHash,
  missingErasures,
  readChain,
} from './chain-store.ts';
import { beginning, commitmentOf, linkOf, personalParts, recordDigest } from './hashes.ts';

export type Verification = z.infer<typeof verification>;
type Problem = NonNullable<Verification['problem']>;
type Anchor = z.infer<typeof anchorPoint>;

/** Records in memory at a time. */
const batch = 2_000;

/** Computes the whole chain again, in order, and compares it with `anchors`, which were kept elsewhere. */
export async function verifyChain(
  db: Db,
  anchors: readonly Anchor[],
  signal?: AbortSignal,
): Promise<Verification> {
  const walk = new Walk(db, signal);
  const problem = (await walk.run()) ?? (await walk.afterwards()) ?? (await comparedWith(db, anchors));
  const { records, erased, head } = walk;
  return { ok: problem === null, records, erased, head, problem, anchors: anchors.length };
}

class Walk {
  readonly #db: Db;
  readonly #signal: AbortSignal | undefined;
  readonly #erasures = new Set<string>();
  #last: Head = { seq: 0, hash: beginning };
  records = 0;
  erased = 0;

  constructor(db: Db, signal: AbortSignal | undefined) {
    this.#db = db;
    this.#signal = signal;
  }

  get head(): Head | null {
    return this.records === 0 ? null : this.#last;
  }

  async run(): Promise<Problem | null> {
    for (;;) {
      this.#signal?.throwIfAborted();
      const rows = await readChain(this.#db, this.#last.seq, batch);
      for (const row of rows) {
        const problem = await this.#step(row);
        if (problem) return problem;
      }
      if (rows.length < batch) return null;
    }
  }

  /** What the chain itself cannot show. */
  async afterwards(): Promise<Problem | null> {
    const [erasure] = await missingErasures(this.#db, [...this.#erasures]);
    if (erasure !== undefined)
      return {
        ...nowhere,
        kind: 'changed',
        message: `Parts of records were erased by record ${erasure}, which is no erasure.`,
      };
    const record = await findUnchained(this.#db);
    if (record === undefined) return null;
    const message = `Record ${record} has no place in the chain: it was put in past it, or its place was deleted.`;
    return { kind: 'unchained', seq: null, record, message };
  }

  async #step(row: ChainRow): Promise<Problem | null> {
    const { seq, record } = row;
    const broken = (kind: Problem['kind'], message: string): Problem => ({ kind, seq, record, message });
    if (seq !== this.#last.seq + 1)
      return broken('missing', `Places ${this.#last.seq + 1} to ${seq - 1} of the chain are gone.`);
    if (row.previous !== this.#last.hash) {
      if (await hasHash(this.#db, row.previous))
        return broken(
          'reordered',
          `Record ${record} stands at place ${seq}, but does not follow the one before it.`,
        );
      return broken('missing', `What record ${record} at place ${seq} followed is gone or was changed.`);
    }
    if (row.found === null) return broken('missing', `Record ${record} of place ${seq} is gone.`);
    const part = this.#changedPart(row);
    if (part !== undefined)
      return broken('changed', `Record ${record} at place ${seq} was changed: ${part}.`);
    if (
      recordDigest(row, row.commitments) !== row.digest ||
      linkOf(row.previous, seq, row.digest) !== row.hash
    )
      return broken('changed', `Record ${record} at place ${seq} was changed.`);
    this.#last = { seq, hash: row.hash };
    this.records += 1;
    return null;
  }

  /** The first part that is not what was committed to. */
  #changedPart(row: ChainRow): string | undefined {
    if (row.salts.includes(null)) {
      if (row.erasedBy === null) return 'a salt is gone';
      this.#erasures.add(row.erasedBy);
      this.erased += 1;
    }
    return personalParts.find((part, at) => {
      const [salt, committed] = [row.salts[at], row.commitments[at]];
      if (salt === undefined || committed === undefined) return true;
      return salt === null ? !isErased(row[part]) : commitmentOf(salt, part, row[part]) !== committed;
    });
  }
}

const nowhere = { seq: null, record: null };

/** What an erasure leaves: nothing, or a text with a pseudonym in it. */
function isErased(value: string | null): boolean {
  return value === null || /erased-[0-9a-f]{16}/.test(value);
}

async function comparedWith(db: Db, anchors: readonly Anchor[]): Promise<Problem | null> {
  const hashes = await hashesAt(
    db,
    anchors.map(({ seq }) => seq),
  );
  const bad = anchors.find(({ seq, hash }) => hashes.get(seq) !== hash);
  if (bad === undefined) return null;
  const was = hashes.has(bad.seq) ? 'has another hash than' : 'is gone, and was';
  const message = `Place ${bad.seq} of the chain ${was} when its head was anchored${bad.time ? ` at ${bad.time}` : ''}: the chain was made anew or cut off.`;
  return { kind: 'anchor', seq: bad.seq, record: null, message };
}
