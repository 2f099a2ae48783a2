import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError, messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { type OpenSource, openSource, sourceNameOf } from './sources/index.ts';
import { keyBytes, MasterKey } from './master-key.ts';
import { masterKeyInvalid, masterKeyUnusable, noMasterKey } from './master-key-errors.ts';
import { addToKeyFile, readOrMakeKeyFile, warnIfOpen } from './master-key-file.ts';

/** A master key of this process. */
export interface HeldKey {
  readonly key: MasterKey;
  /** Who unwrapped it; null for one that was given as it is. */
  readonly source: string | null;
}

/** The master keys that the configuration gives this process, in its order. */
export interface KeyRing {
  /** `data-directory`: a file of our own, to which keys can be added. */
  readonly kind: 'environment' | 'file' | 'data-directory';
  held(): readonly HeldKey[];
  /** Entries that could not be unwrapped, one sentence each. */
  problems(): readonly string[];
  /** Reads the file again, if it is one: keys may have been added. What is wrong then is logged, and the keys stay. */
  reload(): Promise<void>;
  /** Makes a key and adds it to our own file. One process at a time; null when there is no file of our own. */
  add(): Promise<MasterKey | null>;
}

export interface KeyRingOptions {
  /** TOOLGATE_MASTER_KEY: one or more entries. */
  readonly value: string | undefined;
  /** TOOLGATE_MASTER_KEY_FILE: a file with entries, which counts when there is no `value`. */
  readonly file: string | undefined;
  /** Else `master.key` in here, which is made at the first start. */
  readonly dataDir: string;
  readonly log: Log;
  readonly openSource?: OpenSource;
}

/**
 * An entry is base64 or base64url of 32 bytes, or `<source>:…`, which is unwrapped once. Several are separated by commas
 * or white space. Throws `master_key_invalid`, or `master_key_unusable` when there is not one key.
 */
export async function loadKeyRing(o: KeyRingOptions): Promise<KeyRing> {
  const ring = new Ring(o);
  await ring.load();
  return ring;
}

interface Entry {
  /** Tells entries apart without keeping them. */
  readonly digest: string;
  readonly held: HeldKey | null;
  readonly problem: string | null;
}

class Ring implements KeyRing {
  readonly kind: KeyRing['kind'];
  readonly #o: KeyRingOptions;
  readonly #file: string;
  #entries: readonly Entry[] = [];

  constructor(o: KeyRingOptions) {
    this.#o = o;
    this.#file = o.file ?? path.join(o.dataDir, 'master.key');
    if (o.value !== undefined && o.value.trim() !== '') this.kind = 'environment';
    else this.kind = o.file === undefined ? 'data-directory' : 'file';
  }

  held(): readonly HeldKey[] {
    const found = this.#entries.flatMap(({ held }) => held ?? []);
    return found.filter(({ key }, at) => found.findIndex((other) => other.key.id === key.id) === at);
  }

  problems(): readonly string[] {
    return this.#entries.flatMap(({ problem }) => problem ?? []);
  }

  async load(): Promise<void> {
    await this.#use(await this.#text());
    if (this.kind === 'file') await warnIfOpen(this.#file, this.#o.log);
    if (this.held().length === 0) throw noMasterKey(this.problems().join(' '));
    for (const problem of this.problems()) this.#o.log.error(problem);
  }

  async reload(): Promise<void> {
    if (this.kind === 'environment') return;
    try {
      await this.#use(await readFile(this.#file, 'utf8'));
    } catch (error) {
      this.#o.log.warn(
        { error: messageOf(error) },
        'cannot read the master keys again; those of the start stay',
      );
    }
  }

  async add(): Promise<MasterKey | null> {
    if (this.kind !== 'data-directory') return null;
    try {
      await this.#use(await addToKeyFile(this.#file));
    } catch (error) {
      throw error instanceof AppError ? error : masterKeyUnusable(this.#file, error);
    }
    return this.held().at(-1)?.key ?? null;
  }

  async #text(): Promise<string> {
    if (this.kind === 'environment') return this.#o.value ?? '';
    try {
      if (this.kind === 'file') return await readFile(this.#file, 'utf8');
      return await readOrMakeKeyFile(this.#file, this.#o.log);
    } catch (error) {
      throw masterKeyUnusable(this.#file, error);
    }
  }

  /** Takes the entries over as a whole. What was unwrapped already is not unwrapped again. */
  async #use(text: string): Promise<void> {
    const source = this.kind === 'environment' ? 'TOOLGATE_MASTER_KEY' : this.#file;
    const texts = text.split(/[\s,]+/).filter((entry) => entry !== '');
    if (texts.length === 0) throw masterKeyInvalid(source);
    const entries: Entry[] = [];
    for (const [at, entry] of texts.entries()) {
      const digest = createHash('sha256').update(entry).digest('base64url');
      const known = this.#entries.find((one) => one.digest === digest && one.held !== null);
      const which = texts.length === 1 ? '' : ` in entry ${at + 1}`;
      entries.push(known ?? { digest, ...(await this.#entryOf(entry, source, which)) });
    }
    this.#entries = entries;
  }

  async #entryOf(entry: string, where: string, which: string): Promise<Omit<Entry, 'digest'>> {
    const name = sourceNameOf(entry);
    if (name === null) return { held: { key: plainKey(entry, where, which), source: null }, problem: null };
    const source = await (this.#o.openSource ?? openSource)(name);
    if (!source?.isEntry(entry)) throw masterKeyInvalid(where, which);
    try {
      const bytes = await source.unwrap(entry);
      return { held: { key: keyOf(bytes), source: name }, problem: null };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { held: null, problem: error.message };
    }
  }
}

function plainKey(entry: string, where: string, which: string): MasterKey {
  const bytes = Buffer.from(entry, 'base64');
  // Buffer.from skips over what is not base64, so the form is checked, too.
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(entry) && bytes.length === keyBytes) return keyOf(bytes);
  throw masterKeyInvalid(where, which);
}

function keyOf(bytes: Buffer): MasterKey {
  const key = new MasterKey(bytes);
  bytes.fill(0);
  return key;
}
