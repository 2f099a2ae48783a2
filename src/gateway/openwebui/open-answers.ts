import type { Snapshot } from '../../access/index.ts';
import { Places } from './places.ts';
import { openWebUiTrouble } from './refusals.ts';

/**
 * Nobody takes all connections to Open WebUI (upstream.ts), of which there are as many again for requests that say
 * something as for those that only read. Many people may share an address, and files of pages count for it too.
 */
const most = {
  person: 200,
  readingStrangers: { each: 500, all: 1_000 },
  writingStrangers: { each: 100, all: 500 },
};

/** Answers under way, by person: whoever is shut out loses them at once. */
export class OpenAnswers {
  readonly #ends = new Map<string, Set<() => void>>();
  readonly #ofPeople = new Places({ each: most.person, all: Number.POSITIVE_INFINITY });
  readonly #ofReaders = new Places(most.readingStrangers);
  readonly #ofWriters = new Places(most.writingStrangers);

  /** `end` is called when the person is disabled, or the program ends. Returns what forgets it. */
  hold(person: string, end: () => void): () => void {
    const ends = this.#ends.get(person) ?? new Set();
    this.#ends.set(person, ends.add(end));
    return () => {
      ends.delete(end);
      if (ends.size === 0) this.#ends.delete(person);
    };
  }

  /** Room for one more; returns what gives it back. Throws `open_webui_busy`. Absent `person`: nobody who is known. */
  reserve(o: { person: string | undefined; network: string; isReading: boolean }): () => void {
    const strangers = o.isReading ? this.#ofReaders : this.#ofWriters;
    const release = o.person === undefined ? strangers.take(o.network) : this.#ofPeople.take(o.person);
    if (!release) throw openWebUiTrouble('busy');
    return release;
  }

  /** Ends what people hold who are disabled in this picture. */
  recheck({ members }: Pick<Snapshot, 'members'>): void {
    for (const [person, ends] of this.#ends) if (members.get(person)?.disabled) for (const end of ends) end();
  }

  close(): void {
    for (const ends of this.#ends.values()) for (const end of ends) end();
  }
}
