import type { Clock } from '../../platform/clock.ts';
import { type Changes, createLive, type Db, type Live } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import type { MasterKey, MasterKeys } from '../master-keys/master-key.ts';
import { masterKeyMissing } from '../master-keys/master-key-errors.ts';
import type { KeyRing } from '../master-keys/master-key-ring.ts';
import { designateFirst, type KeyRow, loadKeys } from './key-store.ts';
import { type Count, countSealed, type SealedText, textsWithout } from './sealed-store.ts';

/** What is wrong with the keys of this process, for whoever runs it. */
export interface KeyProblem {
  readonly since: Date;
  /** One sentence. */
  readonly meaning: string;
}

/** The master keys of this process, with what the database says about them. */
export interface FollowedKeys extends MasterKeys {
  readonly ring: KeyRing;
  /** As last seen. */
  rows(): readonly KeyRow[];
  /** How many secrets need a key that this process may not use, or none at all. */
  unreadable(): number;
  problem(): KeyProblem | null;
  /** Something else is wrong from here on, as long as the process runs. */
  note(meaning: string): void;
  /** Loads anew; resolves when everything here answers from what the database holds now. */
  refresh(): Promise<void>;
  onChange(listener: () => void): () => void;
  close(): void;
}

interface FollowOptions {
  readonly db: Db;
  readonly changes: Changes;
  readonly ring: KeyRing;
  readonly log: Log;
  readonly clock: Clock;
}

interface Picture {
  readonly rows: readonly KeyRow[];
  readonly unreadable: number;
  /** Keys that are needed and not here, for the log. */
  readonly needed: readonly string[];
}

/** How many secrets are named in the log; all of them are in the admin API. */
const mostNamed = 20;
/** Secrets are written without a word to this, so they are counted again after this long. */
const countEveryMs = 60_000;

/** Puts the first key of the ring in force where none is, and follows what the database says from then on. */
export async function followMasterKeys(o: FollowOptions): Promise<FollowedKeys> {
  await putFirstInForce(o);
  const live = await createLive({ topic: 'master_keys', maxAgeMs: countEveryMs, load: () => look(o), ...o });
  const keys = new Followed(o, live);
  tellRetired(keys, o.log);
  await tellUnreadable(o, live.current());
  return keys;
}

/**
 * Where secrets are stored already, a key that opens none of them is not put in force: it is a wrong one, and secrets
 * under it would make two halves of one installation.
 */
async function putFirstInForce({ db, ring, log }: FollowOptions): Promise<void> {
  const rows = await loadKeys(db);
  if (rows.some(({ isCurrent }) => isCurrent)) return;
  const used = (await countSealed(db)).flatMap(({ keyId }) => keyId ?? []);
  const held = ring.held().map(({ key }) => key.id);
  const [first] = held.filter((id) => rows.every((row) => row.id !== id || row.retiredAt === null));
  if (first === undefined || (used.length > 0 && !used.some((id) => held.includes(id)))) {
    log.error(
      { neededKeys: [...new Set(used)] },
      'no master key is put in force: none here opens what is stored',
    );
    return;
  }
  await designateFirst(db, first);
}

async function look({ db, ring }: FollowOptions): Promise<Picture> {
  const rows = await loadKeys(db);
  const current = rows.find(({ isCurrent }) => isCurrent);
  const isHere = () => ring.held().some(({ key }) => key.id === current?.id);
  // Another process that reads the same file may have added it.
  if (current && !isHere()) await ring.reload();
  const usable = usableIds(ring, rows);
  const others = (await countSealed(db)).filter(({ keyId }) => keyId === null || !usable.includes(keyId));
  return {
    rows,
    unreadable: sumOf(others),
    needed: [...new Set(others.flatMap(({ keyId }) => keyId ?? []))],
  };
}

/** The ids of the keys that this process may open with. */
export function usableIds(ring: KeyRing, rows: readonly KeyRow[]): string[] {
  const retired = rows.filter(({ retiredAt }) => retiredAt !== null).map(({ id }) => id);
  return ring
    .held()
    .map(({ key }) => key.id)
    .filter((id) => !retired.includes(id));
}

class Followed implements FollowedKeys {
  readonly ring: KeyRing;
  readonly #live: Live<Picture>;
  readonly #clock: Clock;
  readonly #notes: string[] = [];
  #badSince: Date | null = null;

  constructor(o: FollowOptions, live: Live<Picture>) {
    this.ring = o.ring;
    this.#live = live;
    this.#clock = o.clock;
    live.onChange(() => this.problem());
  }

  current(): MasterKey {
    const row = this.rows().find(({ isCurrent }) => isCurrent);
    if (!row) throw masterKeyMissing('No master key is in force, because none here opens what is stored.');
    const key = this.get(row.id);
    if (key) return key;
    throw masterKeyMissing(
      `Secrets are sealed under the master key ${row.id}, which this process does not have.`,
    );
  }

  get(id: string): MasterKey | undefined {
    const found = this.ring.held().find(({ key }) => key.id === id)?.key;
    // Whoever still has a key that was given up could have secrets taken for ours that they made.
    const isRetired = this.rows().some((row) => row.id === id && row.retiredAt !== null);
    return isRetired ? undefined : found;
  }

  rows(): readonly KeyRow[] {
    return this.#live.current().rows;
  }

  unreadable(): number {
    return this.#live.current().unreadable;
  }

  problem(): KeyProblem | null {
    const meaning = [...this.#findings()].join(' ');
    if (meaning === '') this.#badSince = null;
    else this.#badSince ??= new Date(this.#clock());
    return this.#badSince && { since: this.#badSince, meaning };
  }

  note(meaning: string): void {
    this.#notes.push(meaning);
  }

  refresh(): Promise<void> {
    return this.#live.refresh();
  }

  onChange(listener: () => void): () => void {
    return this.#live.onChange(listener);
  }

  close(): void {
    this.#live.close();
  }

  *#findings(): Iterable<string> {
    const current = this.rows().find(({ isCurrent }) => isCurrent);
    if (!current) yield 'No master key is in force: nothing can be stored.';
    else if (!this.get(current.id))
      yield `The master key ${current.id} is in force and not here: nothing can be stored through this process.`;
    const { unreadable, needed } = this.#live.current();
    if (unreadable > 0)
      yield `${unreadable} stored secrets cannot be opened${needed.length === 0 ? '' : ` without the master keys ${needed.join(', ')}`}: calls that need them fail, and nothing writes over them.`;
    yield* this.ring.problems();
    yield* this.#notes;
  }
}

function tellRetired(keys: FollowedKeys, log: Log): void {
  const retired = keys.rows().filter(({ retiredAt }) => retiredAt !== null);
  for (const { id } of retired) {
    if (keys.ring.held().every(({ key }) => key.id !== id)) continue;
    log.warn(
      { masterKey: id },
      'a master key that was retired is still configured; it is not used, take it out',
    );
  }
}

async function tellUnreadable({ db, ring, log }: FollowOptions, picture: Picture): Promise<void> {
  if (picture.unreadable === 0) return;
  const texts = await textsWithout(db, usableIds(ring, picture.rows), mostNamed);
  log.error(
    { secrets: picture.unreadable, neededKeys: picture.needed, some: texts.map(nameOf) },
    'stored secrets cannot be opened with the master keys of this process; they stay as they are',
  );
}

function nameOf({ tenant, owner, server, name }: SealedText): string {
  const whose = owner.id === null ? owner.level : `${owner.level} ${owner.id}`;
  const where = tenant === null || tenant === owner.id ? '' : ` in ${tenant}`;
  return `${server} ${name} (${whose}${where})`;
}

function sumOf(counts: readonly Count[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}
