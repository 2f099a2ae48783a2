import { setTimeout as sleep } from 'node:timers/promises';
import { writeAudit } from '../audit/index.ts';
import type { Db } from '../platform/db/index.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { describeTool, nameOnly, sizeOf } from './describe-tool.ts';
import * as store from './store.ts';

/** One tool as its server listed it. */
export interface SeenTool {
  readonly name: string;
  readonly hash: string;
  /** JSON text of the tool. */
  readonly raw: string;
}

/** What one look at a list of tools found out of the ordinary. */
export interface Sight {
  readonly place: store.Place;
  readonly isFirst: boolean;
  readonly tools: readonly SeenTool[];
  /** Hashes that are listed no more. */
  readonly gone: readonly string[];
  /** Hashes that were gone and are listed again. */
  readonly back: readonly string[];
}

interface Waiting {
  readonly place: store.Place;
  /** What the first look showed: accepted, if no other process was there before. */
  readonly first: Map<string, SeenTool>;
  /** What later looks showed: it waits for somebody's decision. */
  readonly later: Map<string, SeenTool>;
  readonly gone: Set<string>;
  readonly back: Set<string>;
}

const firstSight = 'first sight';
const actor = 'service:toolgate';
/** Definitions that wait in memory for each place; what is beyond is seen again after a restart. */
const mostWaiting = 1_000;
const mostNoted = 20_000;
const most = { perTool: 5, perPlace: 1_000 };
/** Characters of definitions written for one place at a time; of tools beyond only name and hash are kept. */
const mostCharacters = 16_000_000;
const mostNamesInAudit = 50;
/** Places with more than this waiting have been told of often enough. */
const mostTold = 100;
const rowsAtOnce = 200;
const firstDelayMs = 500;
const longestDelayMs = 30_000;

/**
 * Writes what was seen into the database, in the background and until it succeeds. Places are bounded by what
 * administrators set up, what waits for each of them by `mostWaiting`.
 */
export class Sights {
  readonly #waiting = new Map<string, Waiting>();
  readonly #closed = new AbortController();
  readonly #db: Db;
  readonly #log: Log;
  readonly #written: () => Promise<void>;
  #working: Promise<void> | undefined;

  /** `written` is called after something was written. */
  constructor(o: { db: Db; log: Log; written: () => Promise<void> }) {
    this.#db = o.db;
    this.#log = o.log;
    this.#written = o.written;
  }

  add(sight: Sight): void {
    if (this.#closed.signal.aborted) return;
    const key = `${sight.place.server} ${sight.place.key}`;
    const found = this.#waiting.get(key);
    const waiting = found ?? newWaiting(sight.place);
    const to = sight.isFirst && !found ? waiting.first : waiting.later;
    for (const tool of sight.tools)
      if (to === waiting.first || to.size < mostWaiting) to.set(tool.hash, tool);
    for (const hash of sight.back) note(hash, waiting.back, waiting.gone);
    for (const hash of sight.gone) note(hash, waiting.gone, waiting.back);
    this.#waiting.set(key, waiting);
    this.#start();
  }

  /** Waits for the write under way; what waits is seen again after the next start. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#working;
  }

  #start(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
      if (this.#waiting.size > 0 && !this.#closed.signal.aborted) this.#start();
    });
  }

  async #work(): Promise<void> {
    const { signal } = this.#closed;
    let delay = firstDelayMs;
    while (this.#waiting.size > 0 && !signal.aborted) {
      const failed = await this.#round();
      if (!failed) return;
      await sleep(delay, undefined, { signal, ref: false }).catch(() => undefined);
      delay = Math.min(delay * 2, longestDelayMs);
    }
  }

  /** Tries everything that waits once; true when something has to be tried again. */
  async #round(): Promise<boolean> {
    const failures: string[] = [];
    for (const [key, waiting] of [...this.#waiting]) {
      if (this.#closed.signal.aborted) return false;
      this.#waiting.delete(key);
      try {
        const news = await this.#db.transaction().execute((trx) => write(trx, waiting));
        this.#tell(waiting.place, news);
        await this.#written();
      } catch (error) {
        failures.push(messageOf(error));
        this.#waiting.set(key, merged(waiting, this.#waiting.get(key)));
      }
    }
    const [error] = failures;
    if (error === undefined) return false;
    this.#log.warn({ servers: failures.length, error }, 'what servers list could not be written down yet');
    return true;
  }

  #tell({ server }: store.Place, { pending, flagged, missing }: News): void {
    const flags = Object.fromEntries(flagged.slice(0, mostNamesInAudit));
    if (pending.length > 0)
      this.#log.warn(
        { server, count: pending.length, tools: pending.slice(0, mostNamesInAudit), flags },
        'tools are new or changed and wait for somebody to accept them',
      );
    else if (flagged.length > 0) this.#log.warn({ server, flags }, 'tools of a new server look suspicious');
    if (missing.length > 0)
      this.#log.info({ server, tools: missing.slice(0, mostNamesInAudit) }, 'tools are no longer listed');
  }
}

interface News {
  readonly pending: readonly string[];
  readonly flagged: readonly (readonly [string, readonly string[]])[];
  readonly missing: readonly string[];
}

const nothing: News = { pending: [], flagged: [], missing: [] };

async function write(trx: Db, waiting: Waiting): Promise<News> {
  const { place } = waiting;
  // It may have been deleted meanwhile.
  if (!(await store.serverExists(trx, place.server))) return nothing;
  const isFirst = await store.claimPlace(trx, place);
  const first = described(waiting.first);
  const later = described(waiting.later);
  if (isFirst) await insert(trx, place, first, firstSight);
  const told = isFirst ? 0 : await store.countPending(trx, place);
  const added = await insert(trx, place, isFirst ? later : [...first, ...later], null);
  if (added.length > 0) await store.prunePending(trx, place, most);
  const missing = await store.noteMissing(trx, place, [...waiting.gone]);
  await store.noteBack(trx, place, [...waiting.back]);
  if (isFirst) await audit(trx, place, 'pin.first_sight', first);
  // A server that changes without end is told of until somebody has had a look.
  const telling = told < mostTold ? added : [];
  if (telling.length > 0) await audit(trx, place, 'pin.pending', telling);
  return {
    pending: telling.map(({ tool }) => tool),
    flagged: flaggedOf(isFirst ? [...first, ...later] : telling),
    missing,
  };
}

/** Those that were not there yet. */
async function insert(
  trx: Db,
  place: store.Place,
  pins: readonly store.NewPin[],
  acceptedBy: string | null,
): Promise<store.NewPin[]> {
  const added = new Set<string>();
  for (let at = 0; at < pins.length; at += rowsAtOnce) {
    const rows = await store.insertPins(trx, place, pins.slice(at, at + rowsAtOnce), acceptedBy);
    for (const { hash } of rows) added.add(hash);
  }
  return pins.filter(({ hash }) => added.has(hash));
}

function described(tools: ReadonlyMap<string, SeenTool>): store.NewPin[] {
  let left = mostCharacters;
  return [...tools.values()].map(({ name, hash, raw }) => {
    const whole = left > 0 ? describeTool(name, raw) : nameOnly(name);
    left -= sizeOf(whole);
    return { ...whole, hash };
  });
}

function flaggedOf(pins: readonly store.NewPin[]): [string, readonly string[]][] {
  return pins.flatMap(({ tool, flags }) =>
    flags.length > 0 ? [[tool, flags] as [string, readonly string[]]] : [],
  );
}

async function audit(
  trx: Db,
  place: store.Place,
  action: string,
  pins: readonly Pick<store.NewPin, 'tool' | 'flags'>[],
): Promise<void> {
  const names = pins.map(({ tool }) => tool);
  await writeAudit(trx, {
    actor,
    action,
    targetKind: 'server',
    targetId: place.server,
    after: {
      reachedAt: place.reachedAt,
      count: names.length,
      tools: names.slice(0, mostNamesInAudit),
      flagged: pins
        .filter(({ flags }) => flags.length > 0)
        .map(({ tool }) => tool)
        .slice(0, mostNamesInAudit),
    },
  });
}

/** The last word about a definition counts. A full set forgets what it may: only a note is lost. */
function note(hash: string, to: Set<string>, from: Set<string>): void {
  from.delete(hash);
  if (to.size < mostNoted) to.add(hash);
}

function newWaiting(place: store.Place): Waiting {
  return { place, first: new Map(), later: new Map(), gone: new Set(), back: new Set() };
}

/** What could not be written, and what came in since. */
function merged(older: Waiting, newer: Waiting | undefined): Waiting {
  if (!newer) return older;
  const later = new Map([...older.later, ...newer.first, ...newer.later].slice(0, mostWaiting));
  const gone = new Set([...older.gone, ...newer.gone].filter((hash) => !newer.back.has(hash)));
  const back = new Set([...older.back, ...newer.back].filter((hash) => !newer.gone.has(hash)));
  return { place: older.place, first: older.first, later, gone, back };
}
