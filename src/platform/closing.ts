import type { Log } from './log.ts';
import { onParentGone } from './parent-pipe.ts';

interface Closable {
  close(): Promise<void> | void;
}

/** Everything long-lived, closed in the opposite order of opening; one failure does not keep the rest open. */
export class Closing {
  readonly #log: Log;
  readonly #parts: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  isClosing = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#parts.push({ name, close });
  }

  /** Closes the part when its turn comes; returns it. */
  keep<T extends Closable>(name: string, part: T): T {
    this.add(name, () => part.close());
    return part;
  }

  async close(): Promise<void> {
    this.isClosing = true;
    for (const part of this.#parts.splice(0).reverse()) {
      try {
        await part.close();
      } catch (error) {
        this.#log.error({ err: error, part: part.name }, 'did not close cleanly');
      }
    }
  }
}

/** Longest time for a clean shut-down where nobody says another one, in seconds. */
const usualSeconds = 10;
/** Whoever started this may pass on a signal that has reached it already: that is no second one, in milliseconds. */
const sameSignalMs = 1_000;

/** How much of a shut-down calls under way may take, in milliseconds; what follows needs the rest. */
export function drainMs(shutdownSeconds: number): number {
  return Math.max(shutdownSeconds * 500, shutdownSeconds * 1_000 - 4_000);
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
    setTimeout(() => end(1), seconds * 1_000).unref();
    closing.close().then(
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
