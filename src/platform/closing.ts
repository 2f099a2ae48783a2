import type { Log } from './log.ts';

/** Everything long-lived, closed in the opposite order of opening; one failure does not keep the rest open. */
export class Closing {
  readonly #log: Log;
  readonly #parts: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];
  isClosing = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(part: string, close: () => Promise<void> | void): void {
    this.#parts.push({ name: part, close });
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
