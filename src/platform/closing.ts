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

/** Longest time for a clean shut-down, in milliseconds. */
const shutdownMs = 10_000;

/** Ends the process cleanly on SIGINT, SIGTERM and SIGHUP, and when whoever started it is gone. A second SIGINT is obeyed at once. */
export function closeOnSignals(closing: Closing): void {
  let asked = false;
  const stop = (why: string) => {
    if (asked) return;
    asked = true;
    process.stderr.write(`\n${why}: shutting down …\n`);
    // Whatever hangs does not keep the process: what must be kept has been written by then.
    setTimeout(() => process.exit(1), shutdownMs).unref();
    closing.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGINT', () => {
    if (asked) process.exit(130);
    stop('Interrupted');
  });
  process.on('SIGTERM', () => stop('Asked to stop'));
  process.on('SIGHUP', () => stop('Terminal closed'));
  onParentGone(process.env, () => stop('Whoever started this is gone'));
}
