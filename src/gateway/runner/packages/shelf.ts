import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../platform/log.ts';
import { UpstreamError } from '../../connectors/contract.ts';
import { passedOn } from '../containment/passed-on.ts';
import type { AskedPackage } from './asked-package.ts';
import { asksForShared, npmrcBeside, type Wish } from './asks-for-shared.ts';
import type { InstallJob } from './install.ts';
import { Lanes } from './lanes.ts';
import { recipes } from './recipes.ts';
import { type Place, Shelves } from './shelves.ts';

/** A package that is there, until it is released. */
export interface Shelved {
  /** The directory that holds it. */
  readonly files: string;
  readonly program: string;
  /** For the program itself. */
  readonly args: readonly string[];
  release(): void;
}

export interface PackageShelfOptions {
  readonly root: string;
  /** Directories in which commands are looked for. */
  readonly searched: readonly string[];
  readonly log: Log;
  /** Puts a package into its directory; returns its size in bytes. */
  install(job: InstallJob): Promise<number>;
  readonly mostBytes?: number;
  /** How long whoever starts a server waits for its package, in milliseconds. */
  readonly patience?: number;
}

/** What is fetched, and the settings of npm that it is fetched with. */
interface Fetched {
  readonly asked: AskedPackage;
  readonly npmrc: string | undefined;
}

const usualMost = 8 * 1024 ** 3;
/** Less than the gate waits for a process. */
const usualPatience = 15_000;
/** How long a package that could not be fetched is left alone, in milliseconds. */
const rest = 30_000;
const atOnce = 2;

/**
 * Packages that npx and uvx would fetch for each owner again, fetched once for everybody by a process that has nobody's
 * keys. Whoever runs one cannot change it, so no tenant decides what another one runs.
 */
export class PackageShelf {
  readonly #options: PackageShelfOptions;
  readonly #shelves: Shelves;
  readonly #fetching = new Map<string, Promise<void>>();
  readonly #failed = new Map<string, { readonly until: number; readonly cause: unknown }>();
  readonly #closing = new AbortController();
  readonly #lanes = new Lanes(atOnce);

  constructor(options: PackageShelfOptions) {
    this.#options = options;
    this.#shelves = new Shelves(options.root, options.log);
  }

  /**
   * The package that a command would fetch, if it is one that can be everybody's; it is fetched if it is not there yet.
   * Throws UpstreamError when it cannot be had, or takes longer than the caller should wait.
   */
  async take(wish: Wish): Promise<Shelved | undefined> {
    const asked = asksForShared(wish);
    if (!asked || !this.#has(recipes[asked.fetcher].installer)) return undefined;
    const npmrc = asked.fetcher === 'npx' ? await npmrcBeside(wish) : undefined;
    if (npmrc === 'own') return undefined;
    const key = keyOf(asked, npmrc?.text);
    const release = this.#shelves.hold(key);
    try {
      const shelved = await this.#there(key, { asked, npmrc: npmrc?.text, server: wish.server });
      if (shelved) return { ...shelved, args: asked.rest, release };
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  /** Removes what nobody has used for long, and what was left half-made. */
  sweep(now: number): Promise<void> {
    return this.#shelves.sweep(now);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#fetching.values());
  }

  async #there(
    key: string,
    o: Fetched & { readonly server: string },
  ): Promise<Pick<Shelved, 'files' | 'program'> | undefined> {
    const { asked, server } = o;
    const place = this.#shelves.place(key);
    const program = await this.#program(place, asked);
    if (program !== undefined) return { files: place.files, program };
    if (await this.#shelves.made(place)) return undefined;
    const failed = this.#failed.get(key);
    if (failed && failed.until > performance.now()) throw notFetched(o, failed.cause);
    if (!this.#fetching.has(key) && !(await this.#makeRoom())) return undefined;
    const isThere = await Promise.race([
      this.#fetch(place, o).then(
        () => true,
        (cause: unknown) => Promise.reject(notFetched(o, cause)),
      ),
      delay(this.#options.patience ?? usualPatience, false, { ref: false }),
    ]);
    if (!isThere)
      throw new UpstreamError(
        'busy',
        `The package ${asked.spec} of the server "${server}" is being fetched for the first time; try again in a moment.`,
      );
    const fetched = await this.#program(place, asked);
    return fetched === undefined ? undefined : { files: place.files, program: fetched };
  }

  /** Undefined where the package is not there, or nobody can say which of its programs is meant. */
  async #program(place: Place, asked: AskedPackage): Promise<string | undefined> {
    if (!(await this.#shelves.made(place))) return undefined;
    const recipe = recipes[asked.fetcher];
    const program = await recipe.program(asked, place.files);
    if (program === undefined) return undefined;
    if (recipe.isSound(program)) return program;
    await this.#shelves.unmake(place);
    return undefined;
  }

  /** Once, however many wait for it. */
  #fetch(place: Place, o: Fetched): Promise<void> {
    const { key } = place;
    const under = this.#fetching.get(key);
    if (under) return under;
    const release = this.#shelves.hold(key);
    const fetched = this.#lanes
      .run(() => this.#install(place, o))
      .catch((error: unknown) => this.#fails(key, o.asked, error))
      .finally(() => {
        this.#fetching.delete(key);
        release();
      });
    this.#fetching.set(key, fetched);
    return fetched;
  }

  async #install(place: Place, { asked, npmrc }: Fetched): Promise<void> {
    this.#closing.signal.throwIfAborted();
    // Another one may have fetched it since this one looked, and somebody may run it by now.
    if (await this.#shelves.made(place)) return;
    // Those before it have taken theirs meanwhile.
    if (!(await this.#makeRoom())) return;
    const { log } = this.#options;
    log.info({ package: asked.spec }, 'a package is fetched');
    const around = await this.#shelves.begin(place);
    const id = randomBytes(9).toString('hex');
    const signal = this.#closing.signal;
    try {
      const bytes = await this.#options.install({ id, asked, around, files: place.files, npmrc, signal });
      await this.#shelves.finish(place, { spec: asked.spec, bytes });
      log.info({ package: asked.spec, bytes }, 'a package was fetched');
    } catch (error) {
      await this.#shelves.discard(place);
      throw error;
    }
  }

  #makeRoom(): Promise<boolean> {
    return this.#shelves.makeRoom(this.#options.mostBytes ?? usualMost);
  }

  #fails(key: string, { spec }: AskedPackage, cause: unknown): never {
    this.#options.log.warn({ err: cause, package: spec }, 'a package could not be fetched');
    const now = performance.now();
    for (const [other, { until }] of this.#failed) if (until <= now) this.#failed.delete(other);
    this.#failed.set(key, { until: now + rest, cause });
    throw cause;
  }

  #has(program: string): boolean {
    return this.#options.searched.some((directory) => existsSync(path.join(directory, program)));
  }
}

/** Whoever asks is told of its own server: another one's name may be another tenant's secret. */
function notFetched(o: { readonly asked: AskedPackage; readonly server: string }, cause: unknown) {
  return new UpstreamError(
    'unreachable',
    `The package ${o.asked.spec} of the server "${o.server}" could not be fetched; the log of the runner says why.`,
    { cause },
  );
}

/** Whatever decides what is fetched: two that differ in it never share. */
function keyOf({ fetcher, spec, name }: AskedPackage, npmrc: string | undefined): string {
  const { madeFor } = recipes[fetcher];
  const registries = Object.entries(passedOn(process.env)).filter(([one]) => /registry|index/i.test(one));
  const all = JSON.stringify([fetcher, spec, madeFor, registries, npmrc ?? null]);
  const hash = createHash('sha256').update(all).digest('hex').slice(0, 24);
  return `${name
    .replace(/[^a-z\d]+/gi, '-')
    .replace(/^-/, '')
    .slice(0, 60)}.${hash}`;
}
