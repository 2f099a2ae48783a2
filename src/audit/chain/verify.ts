import type { Db } from '../../platform/db/index.ts';
import type { AnchorPoint, Verification } from '../contract.ts';
import { type SignatureState, signatureReader } from './anchor-line.ts';
import type { ChainRow, ChainSource, Head } from './chain-source.ts';
import { Erasures } from './erasures.ts';
import { beginning, commitmentOf, linkOf, personalParts, recordDigest } from './hashes.ts';
import { storedChain } from './stored-chain.ts';

type Problem = NonNullable<Verification['problem']>;

/** Heads that were kept elsewhere, and the keys that they may be signed with: SPKI in base64. */
export interface Anchored {
  readonly anchors: readonly AnchorPoint[];
  readonly keys: readonly string[];
}

const noAnchors: Anchored = { anchors: [], keys: [] };

/** Computes the whole chain of a database again, in order, and compares it with what was kept elsewhere. */
export function verifyChain(db: Db, anchored = noAnchors, signal?: AbortSignal): Promise<Verification> {
  return verifySource(storedChain(db), anchored, signal);
}

/** The same, wherever the chain is read from. */
export async function verifySource(
  source: ChainSource,
  anchored: Anchored,
  signal?: AbortSignal,
): Promise<Verification> {
  const walk = new Walk(source, signal);
  const problem = (await walk.run()) ?? (await walk.afterwards()) ?? (await comparedWith(source, anchored));
  const { records, erased, unproved, head } = walk;
  const { length } = anchored.anchors;
  return { ok: problem === null, records, erased, unproved, head, problem, anchors: length };
}

/** Compares further anchors with a chain that was verified before. */
export async function verifyAnchors(db: Db, anchored: Anchored): Promise<Verification> {
  const problem = await comparedWith(storedChain(db), anchored);
  const { length } = anchored.anchors;
  return {
    ok: problem === null,
    ...{ records: 0, erased: 0, unproved: 0, head: null },
    problem,
    anchors: length,
  };
}

class Walk {
  readonly #source: ChainSource;
  readonly #signal: AbortSignal | undefined;
  readonly #erasures = new Erasures();
  /** The first record that had something erased, where nobody wrote down what was left. */
  #unknown: ChainRow | undefined;
  #last: Head = { seq: 0, hash: beginning };
  records = 0;
  erased = 0;

  constructor(source: ChainSource, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  get unproved(): number {
    return this.#erasures.unproved;
  }

  get head(): Head | null {
    return this.records === 0 ? null : this.#last;
  }

  async run(): Promise<Problem | null> {
    for await (const row of this.#source.rows()) {
      this.#signal?.throwIfAborted();
      const problem = await this.#step(row);
      if (problem) return problem;
    }
    return null;
  }

  /** What the chain itself cannot show. */
  async afterwards(): Promise<Problem | null> {
    const erasure = this.#erasures.missing;
    if (erasure !== undefined)
      return {
        ...nowhere,
        kind: 'changed',
        message: `Parts of records were erased by record ${erasure}, which is no erasure.`,
      };
    const record = await this.#source.findUnchained();
    if (record === undefined) return this.#unknown ? unknownAt(this.#unknown) : null;
    const message = `Record ${record} has no place in the chain: it was put in past it, or its place was deleted.`;
    return { kind: 'unchained', seq: null, record, message };
  }

  async #step(row: ChainRow): Promise<Problem | null> {
    const { seq, record } = row;
    const broken = (kind: Problem['kind'], message: string): Problem => ({ kind, seq, record, message });
    const next = this.#last.seq + 1;
    if (seq < next) return broken('reordered', `Place ${seq} of the chain comes after place ${next - 1}.`);
    if (seq > next) return broken('missing', `Places ${next} to ${seq - 1} of the chain are gone.`);
    if (row.previous !== this.#last.hash) {
      if (await this.#source.hasHash(row.previous))
        return broken(
          'reordered',
          `Record ${record} stands at place ${seq}, but does not follow the one before it.`,
        );
      return broken('missing', `What record ${record} at place ${seq} followed is gone or was changed.`);
    }
    if (row.found === null) return broken('missing', `Record ${record} of place ${seq} is gone.`);
    const part = row.shownOtherwise ?? this.#changedPart(row);
    if (part !== undefined)
      return broken('changed', `Record ${record} at place ${seq} was changed: ${part}.`);
    if (
      recordDigest(row, row.commitments) !== row.digest ||
      linkOf(row.previous, seq, row.digest) !== row.hash
    )
      return broken('changed', `Record ${record} at place ${seq} was changed.`);
    const wrong = this.#erasures.endsAt(row);
    if (wrong !== undefined) return broken('changed', wrong);
    this.#last = { seq, hash: row.hash };
    this.records += 1;
    return null;
  }

  /** The first part that is not what was committed to. */
  #changedPart(row: ChainRow): string | undefined {
    if (row.salts.includes(null)) this.erased += 1;
    if (row.erasures === null && row.salts.includes(null)) this.#unknown ??= row;
    else {
      const part = this.#erasures.differsAt(row);
      if (part !== undefined) return part;
    }
    return personalParts.find((part, at) => {
      const [salt, committed] = [row.salts[at], row.commitments[at]];
      if (salt === undefined || committed === undefined) return true;
      return salt !== null && commitmentOf(salt, part, row[part]) !== committed;
    });
  }
}

/** Nothing shows that it was changed, and nothing that it was not. */
function unknownAt({ seq, record }: ChainRow): Problem {
  const message = `Something of record ${record} at place ${seq} was erased, and this export does not say what was left: it was made by a version before, so make it anew. All else is in order.`;
  return { kind: 'erasures_unknown', seq, record, message };
}

const nowhere = { seq: null, record: null };

/** Anchors that nobody of this installation signed say nothing of the chain, and are told of after those that do. */
async function comparedWith(source: ChainSource, { anchors, keys }: Anchored): Promise<Problem | null> {
  if (anchors.length === 0) return null;
  const stateOf = signatureReader(keys);
  const states = new Map(anchors.map((anchor) => [anchor, stateOf(anchor)]));
  const believed = anchors.filter((anchor) => states.get(anchor) === 'right');
  const hashes = await source.hashesAt(believed.map(({ seq }) => seq));
  const bad = believed.find(({ seq, hash }) => hashes.get(seq) !== hash);
  if (bad) {
    const was = hashes.has(bad.seq) ? 'has another hash than' : 'is gone, and was';
    const message = `Place ${bad.seq} of the chain ${was} when its head was anchored at ${bad.time}: the chain was made anew or cut off.`;
    return { kind: 'anchor', seq: bad.seq, record: null, message };
  }
  for (const [anchor, state] of states) if (state !== 'right') return unbelieved(anchor, state);
  return null;
}

function unbelieved({ seq, time, key }: AnchorPoint, state: Exclude<SignatureState, 'right'>): Problem {
  const which = `The anchor of place ${seq}${time === '' ? '' : ` of ${time}`}`;
  const said = {
    missing: 'has no signature: it is nobody’s word',
    wrong: 'has a wrong signature: it was changed, or made by somebody else',
    key: `cannot be checked: it is signed with the key ${key}, which is not this installation’s; give that key, if you have it from a time when it was`,
  }[state];
  const kind = state === 'key' ? 'anchor_key' : 'anchor_signature';
  return { kind, seq, record: null, message: `${which} ${said}.` };
}
