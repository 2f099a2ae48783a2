import { LRUCache } from 'lru-cache';
import { UpstreamError } from '../connectors/contract.ts';
import type { Hello } from '../upstreams/handshake.ts';
import type { Connection } from '../upstreams/pool.ts';
import { type ListKind, listKinds, lists } from './kinds.ts';
import type { Known, Lent } from './known.ts';
import { changedKinds, digestOf } from './list-digest.ts';

const mostKept = 10_000;

/** What one person's server can do, and whose it was. */
interface Witness {
  readonly holder: string | undefined;
  readonly shown: string;
}

/**
 * A server that is started anew for each session or person shows all of them the same as long as it served none: the
 * first look at it is lent to the others, so that it is started for those who use it. What it shows later may hold
 * somebody's data, and is never lent. Where it has a directory that its owner fills, its tools may be of the owner's
 * making, so it has to be seen with two people before others are shown it.
 */
export class Lending {
  readonly #lent = new LRUCache<string, Lent>({ max: mostKept });
  readonly #witnesses = new LRUCache<string, Witness>({ max: mostKept });
  /** Who is looking, so that its kin need not. */
  readonly #looking = new Map<string, Known>();

  lentTo(known: Known): Lent | undefined {
    const { family } = known;
    if (family === undefined) return undefined;
    return this.#lent.get(family) ?? this.#lent.get(personal(known, family));
  }

  lookerFor({ family }: Known): Known | undefined {
    return family === undefined ? undefined : this.#looking.get(family);
  }

  /** All lists of it were fetched; lends them where they are nobody's own. */
  offer(known: Known, { upstream, hello }: Connection, lookAfter: number): void {
    const { family, seenAt } = known;
    const isNobodys = upstream.hello === hello && upstream.servedAs !== hello && upstream.interests.isEmpty;
    if (family === undefined || !isNobodys) return;
    if (known.target.kin?.beginsEmpty) {
      const all = new Map(known.lists);
      this.#lent.set(family, { hello, lists: all, from: known, seenAt, lookAfter });
      return;
    }
    const kinds = listKinds.filter((kind) => isPublic(kind, hello));
    const lists = new Map(kinds.map((kind) => [kind, known.lists.get(kind) ?? []] as const));
    const lent = { hello: withoutWords(hello), lists, from: known, seenAt, lookAfter };
    this.#lent.set(personal(known, family), lent);
    if (this.#isConfirmed(known, family, lent)) this.#lent.set(family, lent);
  }

  /** Does somebody else's show the same, or was it lent before? */
  #isConfirmed({ target: { holder } }: Known, family: string, lent: Lent): boolean {
    const shown = shownBy(lent);
    const before = this.#lent.get(family);
    const witness = this.#witnesses.get(family);
    this.#witnesses.set(family, { holder, shown });
    if (before && shownBy(before) === shown) return true;
    return witness !== undefined && witness.holder !== holder && witness.shown === shown;
  }

  /** It could not be looked at: what it showed before may be wrong. */
  withdraw(known: Known, why: unknown): void {
    // No room says nothing of the server, and is no time to start it for everybody.
    if (why instanceof UpstreamError && why.kind === 'busy') return;
    const { family } = known;
    if (family === undefined) return;
    for (const key of [family, personal(known, family)])
      if (this.#lent.get(key)?.from === known) this.#lent.delete(key);
  }

  /** Looks while the others wait. */
  async alone(known: Known, look: () => Promise<void>): Promise<void> {
    const { family } = known;
    if (family === undefined) return look();
    this.#looking.set(family, known);
    try {
      await look();
    } finally {
      if (this.#looking.get(family) === known) this.#looking.delete(family);
    }
  }
}

/** Shows it to somebody who has not looked. Returns which lists are others than before. */
export function takeOver(known: Known, lent: Lent): ListKind[] {
  const before = new Map(known.lists);
  known.lent = lent;
  known.hello = lent.hello;
  known.lists.clear();
  for (const [kind, items] of lent.lists) known.lists.set(kind, items);
  known.seenAt = lent.seenAt;
  known.freshUntil = lent.lookAfter;
  known.failure = known.failedSince = undefined;
  return changedKinds(before, known.lists);
}

/** Where what one person may be shown is kept. */
function personal({ target: { holder } }: Known, family: string): string {
  return JSON.stringify([family, holder]);
}

function shownBy({ hello, lists: seen }: Lent): string {
  return `${digestOf(seen.get('tools') ?? [])} ${JSON.stringify(hello.capabilities)}`;
}

/** Tools are what a server can do; and what it cannot do at all it has nothing of. */
function isPublic(kind: ListKind, { capabilities }: Hello): boolean {
  return kind === 'tools' || !(lists[kind].capability in capabilities);
}

/** What it says of itself may be about what its owner has there. */
function withoutWords({ era, protocolVersion, capabilities }: Hello): Hello {
  return { era, protocolVersion, capabilities, serverInfo: undefined, instructions: undefined };
}
