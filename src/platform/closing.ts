import { setImmediate as nextTurn } from 'node:timers/promises';
import { within } from './deadline.ts';
import type { Log } from './log.ts';
import { onParentGone } from './parent-pipe.ts';

interface Closable {
  /** `ms`: how long it has. */
  close(ms: number): Promise<void> | void;
}

/** Longest time of one part, in milliseconds; `own`: it sees to its end itself. */
type Longest = number | 'own';

interface Part {
  readonly name: string;
  readonly close: Closable['close'];
  readonly longest: Longest;
}

/** Longest time for a clean shut-down where nobody says another one, in seconds. */
const usualSeconds = 10;
/** Of a part that has little to do, in milliseconds. */
const usualPartMs = 1_500;
/** Whoever started this may pass on a signal that has reached it already: that is no second one, in milliseconds. */
const sameSignalMs = 1_000;

/**
 * Everything long-lived, closed in the opposite order of opening. One that fails or hangs does not keep the rest open:
 * a database that says nothing any more would else hold up all that uses it, one after the other.
 */
export class Closing {
  readonly #log: Log;
  readonly #parts: Part[] = [];
  #closed: string | undefined;
  isClosing = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, close: Closable['close'], longest: Longest = usualPartMs): void {
    this.#parts.push({ name, close, longest });
  }

  /** Closes the part when its turn comes; returns it. */
  keep<T extends Closable>(name: string, part: T, longest?: Longest): T {
    this.add(name, (ms) => part.close(ms), longest);
    return part;
  }

  /** Within `ms`, but for parts that see to their end themselves. Never rejects. */
  async close(ms = usualSeconds * 1_000): Promise<void> {
    this.isClosing = true;
    const end = performance.now() + ms;
    for (const part of this.#parts.splice(0).reverse()) {
      this.#closed = part.name;
      await this.#close(part, Math.max(0, end - performance.now()));
      // What it has ended may have something to tell those that are still there.
      await nextTurn();
    }
  }

  /** Says what the process was at when there was no time left. */
  tellLate(): void {
    this.#log.error({ part: this.#closed }, 'the time to stop is over; what is still open is left');
  }

  async #close({ name, close, longest }: Part, left: number): Promise<void> {
    try {
      if (longest === 'own') return await close(left);
      const ms = Math.round(Math.min(longest, shareOf(left)));
      await within(ms, `It was not done after ${ms} ms, and is left.`, Promise.resolve(close(ms)));
    } catch (error) {
      this.#log.error({ err: error, part: name }, 'did not close cleanly');
    }
  }
}

/** How much of the time that is left one part may take, in milliseconds: what follows needs the rest. */
export function shareOf(ms: number): number {
  return Math.max(ms / 2, ms - 4_000);
}

/**
 * Ends the process cleanly on SIGINT, SIGTERM and SIGHUP, and when whoever started it is gone; at the latest after
 * `seconds`. A second SIGINT or SIGTERM is obeyed at once. `onLate` is called before an end that is not clean.
 */
export function closeOnSignals(
  closing: Closing,
  seconds = usualSeconds,
  onLate: () => void = () => undefined,
): void {
  let asked: number | undefined;
  const end = (code: number) => {
    onLate();
    process.exit(code);
  };
  const stop = (why: string) => {
    if (asked !== undefined) return;
    asked = performance.now();
    process.stderr.write(`\n${why}: shutting down …\n`);
    // Whatever hangs does not keep the process: what must be kept has been written by then.
    setTimeout(() => {
      closing.tellLate();
      end(1);
    }, seconds * 1_000).unref();
    closing.close(seconds * 1_000).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGINT', () => {
    if (asked !== undefined) end(130);
    stop('Interrupted');
  });
  process.on('SIGTERM', () => {
    if (asked !== undefined && performance.now() - asked > sameSignalMs) end(143);
    stop('Asked to stop');
  });
  process.on('SIGHUP', () => stop('Terminal closed'));
  onParentGone(process.env, () => stop('Whoever started this is gone'));
}
