import type { Clock } from '../platform/clock.ts';
import { type Changes, createLive, type Db } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import type { PinState } from './contract.ts';
import { Lookalikes } from './lookalikes.ts';
import { type SeenTool, Sights } from './sights.ts';
import { loadPins, loadPlaces, type PinRow, type Place } from './store.ts';

/** Which definitions of tools are accepted, in memory: it answers while the database is away. */
export interface ToolPins {
  /** Grows when what is accepted changes. */
  readonly version: number;
  stateOf(place: Place, hash: string): PinState;
  /** What is known of the tool by its name, as the server has it now. */
  standingOf(place: Place, tool: string): ToolStanding;
  /** What is suspicious about a tool's name beside all others, one sentence each. */
  nameFlags(tool: string): string[];
  /**
   * A list of tools as it was just seen, `gone` what the same list held before. What is not known yet is written in
   * the background; a place that nobody saw before is accepted as it is.
   */
  observe(place: Place, tools: readonly SeenTool[], gone: readonly SeenTool[]): void;
  /** Calls back after `version` has grown. */
  onChange(listener: () => void): () => void;
  /** Loads anew; resolves when `stateOf` answers from what the database holds now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * `pending`: a definition that the server has now waits for a decision. `unlisted`: the server has been seen there, without
 * such a tool. `unseen`: nobody has seen the server there yet; what it has at first sight will be accepted.
 */
export type ToolStanding = 'accepted' | 'pending' | 'unlisted' | 'unseen';

export async function createToolPins(o: {
  db: Db;
  changes: Changes;
  log: Log;
  clock: Clock;
}): Promise<ToolPins> {
  const load = async () => new Book(await loadPlaces(o.db), await loadPins(o.db));
  const live = await createLive({ topic: 'pins', changes: o.changes, load, log: o.log, clock: o.clock });
  const sights = new Sights({ db: o.db, log: o.log, written: () => live.refresh() });
  const listeners = new Set<() => void>();
  let version = 1;
  let accepted = live.current().accepted;
  live.onChange((book) => {
    if (book.accepted === accepted) return;
    accepted = book.accepted;
    version++;
    for (const listener of listeners) listener();
  });
  return {
    get version() {
      return version;
    },
    stateOf: (place, hash) => live.current().stateOf(place, hash),
    standingOf: (place, tool) => live.current().standingOf(place, tool),
    nameFlags: (tool) => live.current().lookalikes.flagsOf(tool),
    observe: (place, tools, gone) => {
      const sight = live.current().sightOf(place, tools, gone);
      if (sight) sights.add(sight);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    refresh: () => live.refresh(),
    async close() {
      listeners.clear();
      await sights.close();
      live.close();
    },
  };
}

interface PlaceBook {
  readonly states: Map<string, 'accepted' | 'pending'>;
  readonly missing: Set<string>;
  /** By name, of the definitions that are not missing; one that waits comes first. */
  readonly tools: Map<string, 'accepted' | 'pending'>;
}

/** Every pin as the database held it at one moment. */
class Book {
  /** Text that is the same as long as the same definitions are accepted. */
  readonly accepted: string;
  readonly lookalikes: Lookalikes;
  readonly #places = new Map<string, PlaceBook>();

  constructor(places: readonly { server: string; place: string }[], rows: readonly PinRow[]) {
    for (const { server, place } of places)
      this.#places.set(`${server} ${place}`, { states: new Map(), missing: new Set(), tools: new Map() });
    for (const { server, place, tool, hash, status, isMissing } of rows) {
      // A place that was added between the two look-ups is in the next book.
      const book = this.#places.get(`${server} ${place}`);
      book?.states.set(hash, status);
      if (isMissing) book?.missing.add(hash);
      else if (book?.tools.get(tool) !== 'pending') book?.tools.set(tool, status);
    }
    this.accepted = rows
      .flatMap(({ server, place, hash, status }) =>
        status === 'accepted' ? [`${server} ${place} ${hash}`] : [],
      )
      .sort()
      .join('\n');
    this.lookalikes = new Lookalikes(rows.filter(({ isMissing }) => !isMissing));
  }

  stateOf(place: Place, hash: string): PinState {
    return this.#of(place)?.states.get(hash) ?? 'unknown';
  }

  standingOf(place: Place, tool: string): ToolStanding {
    const book = this.#of(place);
    return book ? (book.tools.get(tool) ?? 'unlisted') : 'unseen';
  }

  /** What there is to write down; undefined when nothing is new, which is the rule. */
  sightOf(place: Place, tools: readonly SeenTool[], goneTools: readonly SeenTool[]) {
    const book = this.#of(place);
    const isFirst = book === undefined;
    const unknown = book ? tools.filter(({ hash }) => !book.states.has(hash)) : tools;
    const back = book ? tools.flatMap(({ hash }) => (book.missing.has(hash) ? [hash] : [])) : [];
    const names = new Set(tools.map(({ name }) => name));
    // An accepted definition that was replaced is not a tool that is gone; one that waited no longer matters.
    const gone = goneTools.flatMap(({ name, hash }) =>
      !names.has(name) || book?.states.get(hash) === 'pending' ? [hash] : [],
    );
    // A server that lists nothing at first has shown nothing that could be trusted.
    if (unknown.length + back.length + gone.length === 0) return undefined;
    return { place, isFirst, tools: unknown, gone, back };
  }

  #of({ server, key }: Place): PlaceBook | undefined {
    return this.#places.get(`${server} ${key}`);
  }
}
