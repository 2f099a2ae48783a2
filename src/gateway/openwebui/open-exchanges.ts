import type { Snapshot } from '../../access/index.ts';
import { openWebUiTrouble, tooManySockets } from './refusals.ts';

const mostSocketsEach = 100;
const mostSockets = 20_000;
/** Answers under way: nobody takes all connections to Open WebUI. Many people may share an address. */
const mostAnswers = { person: 200, address: 1_000 };

/** Answers under way and open sockets, by person: whoever is shut out loses them at once. */
export class OpenExchanges {
  readonly #ends = new Map<string, Set<() => void>>();
  readonly #sockets = new Map<string, number>();
  readonly #answers = new Map<string, number>();
  readonly #socketEnds = new Set<() => void>();
  #socketCount = 0;

  /** `end` is called when the person is disabled, or the program ends. Returns what forgets it. */
  hold(person: string, end: () => void): () => void {
    const ends = this.#ends.get(person) ?? new Set();
    this.#ends.set(person, ends.add(end));
    return () => {
      ends.delete(end);
      if (ends.size === 0) this.#ends.delete(person);
    };
  }

  /** The same for an open socket, which would outlast any stop. */
  holdSocket(person: string, end: () => void): () => void {
    const forget = this.hold(person, end);
    this.#socketEnds.add(end);
    return () => {
      this.#socketEnds.delete(end);
      forget();
    };
  }

  /** Room for one more socket; returns what gives it back. Throws `too_many_sockets`. */
  reserveSocket(person: string): () => void {
    const release =
      this.#socketCount < mostSockets ? take(this.#sockets, person, mostSocketsEach) : undefined;
    if (!release) throw tooManySockets();
    this.#socketCount++;
    return () => {
      release();
      this.#socketCount--;
    };
  }

  /** Room for one more answer; returns what gives it back. Throws `open_webui_busy`. */
  reserveAnswer({ person, address }: { person: string | undefined; address: string }): () => void {
    const release =
      person === undefined
        ? take(this.#answers, `address ${address}`, mostAnswers.address)
        : take(this.#answers, person, mostAnswers.person);
    if (!release) throw openWebUiTrouble('busy');
    return release;
  }

  get sockets(): number {
    return this.#socketCount;
  }

  /** Ends what people hold who are disabled in this picture. */
  recheck({ members }: Pick<Snapshot, 'members'>): void {
    for (const [person, ends] of this.#ends) if (members.get(person)?.disabled) for (const end of ends) end();
  }

  /** The program is about to stop: sockets end, and their clients open others. Answers come to their end by themselves. */
  leave(): void {
    for (const end of this.#socketEnds) end();
  }

  close(): void {
    for (const ends of this.#ends.values()) for (const end of ends) end();
  }
}

/** One more of them; returns what takes it back, or undefined where there are `most` already. */
function take(counts: Map<string, number>, key: string, most: number): (() => void) | undefined {
  const count = counts.get(key) ?? 0;
  if (count >= most) return undefined;
  counts.set(key, count + 1);
  return () => {
    const left = (counts.get(key) ?? 1) - 1;
    if (left === 0) counts.delete(key);
    else counts.set(key, left);
  };
}
