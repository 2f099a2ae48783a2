// What erasures left. A part that was erased has no salt any more, so that its commitment proves nothing: the record of
// the erasure commits to what is left instead, by the hash of a list of all of it.
import { z } from 'zod';
import type { ChainRow } from './chain-source.ts';
import { beginning, leftOf, listedWith, personalParts } from './hashes.ts';

/** Records that list what was left: of one person, and of what was erased before there were lists. */
const erasing = 'user.erase';
const listing = 'audit.erasures_listed';

const written = z.object({ left: z.object({ parts: z.number(), list: z.string() }) });
const pseudonym = /erased-[0-9a-f]{16}/g;

/** What one erasure left, as far as the chain was read. */
interface Listed {
  readonly parts: number;
  readonly list: string;
  readonly records: number;
  /** Those that are in every text it left; undefined while it left none. */
  readonly pseudonyms: ReadonlySet<string> | undefined;
}

const nothing: Listed = { parts: 0, list: beginning, records: 0, pseudonyms: undefined };

/** Follows the chain, place by place: what an erasure left stands before its record. */
export class Erasures {
  readonly #open = new Map<string, Listed>();
  unproved = 0;

  /** The first erasure whose record never came. */
  get missing(): string | undefined {
    return [...this.#open.keys()][0];
  }

  /** Takes in what was left at a place; names the first part that is something else. */
  differsAt(row: ChainRow): string | undefined {
    const entries = row.erasures ?? [];
    if (!isInOrder(entries)) return 'what erasures left';
    for (const by of new Set(entries.map(([erasure]) => erasure)))
      this.#grow(by, ({ records }) => ({ records: records + 1 }));
    for (const [erasure, part, left] of entries)
      this.#grow(erasure, ({ parts, list }) => ({
        parts: parts + 1,
        list: listedWith(list, row.seq, part, left),
      }));
    return personalParts.find((part, at) => row.salts[at] === null && !this.#isLeft(row, part));
  }

  /** Compares what was left with the record of the erasure, if it is one; says what is wrong. */
  endsAt(row: ChainRow): string | undefined {
    if (row.action !== erasing && row.action !== listing) return undefined;
    const listed = this.#open.get(row.id);
    this.#open.delete(row.id);
    const { data } = written.safeParse(parsed(row.after));
    // Of a version that wrote nothing down: a later record lists what it left.
    if (data === undefined && listed === undefined) return undefined;
    const { parts, list, records, pseudonyms } = listed ?? nothing;
    if (data?.left.parts !== parts || data.left.list !== list)
      return `Record ${row.id} at place ${row.seq}, an erasure, left something else than there is: a record that it erased something of was changed.`;
    const own = row.action === listing || !pseudonyms || pseudonyms.has(row.target_id ?? '');
    if (!own) return `Record ${row.id} at place ${row.seq}, an erasure, left another pseudonym than its own.`;
    if (row.action === listing) this.unproved += records;
    return undefined;
  }

  #isLeft(row: ChainRow, part: (typeof personalParts)[number]): boolean {
    // What an erasure says of itself is never erased.
    const isErasure = row.action === erasing || row.action === listing;
    if (isErasure && (part === 'target_id' || part === 'after')) return false;
    const text = row[part];
    const [erasure, , left] = row.erasures?.findLast(([, name]) => name === part) ?? [];
    if (erasure === undefined || left !== leftOf(text)) return false;
    if (text === null) return part === 'request_id' || part === 'client_ip';
    const here = new Set(text.match(pseudonym));
    this.#grow(erasure, ({ pseudonyms = here }) => ({
      pseudonyms: new Set([...pseudonyms].filter((name) => here.has(name))),
    }));
    return here.size > 0;
  }

  #grow(erasure: string, change: (listed: Listed) => Partial<Listed>): void {
    const listed = this.#open.get(erasure) ?? nothing;
    this.#open.set(erasure, { ...listed, ...change(listed) });
  }
}

/** By the number of the erasure, and by part: a text that an earlier erasure left cannot come back. */
function isInOrder(entries: NonNullable<ChainRow['erasures']>): boolean {
  const places = entries.map(([erasure, part]) => ({
    erasure: Number(erasure),
    at: personalParts.findIndex((name) => name === part),
  }));
  return places.every(({ erasure, at }, index) => {
    const before = places[index - 1];
    const isNext = !before || erasure > before.erasure || (erasure === before.erasure && at > before.at);
    return isNext && at >= 0 && Number.isSafeInteger(erasure);
  });
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined;
  }
}
