import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

/** A text on its way to a channel. */
export interface Outgoing {
  readonly channel: string;
  readonly text: string;
}

const mostWaiting = 10_000;
const mostBytes = 64 * 1024 * 1024;
/** Nobody waits longer for an answer between processes, in milliseconds; what is older would only be in the way. */
const longestWait = 30_000;

/**
 * What could not be sent yet. Full, or too old: the oldest are dropped, which is said once until it is empty again.
 * Whoever needs an answer asks for one and has a limit, so a lost message is no lost call.
 */
export class Outbox {
  readonly #log: Log;
  readonly #clock: Clock;
  #waiting: (Outgoing & { readonly at: number })[] = [];
  #bytes = 0;
  #dropped = false;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.length;
  }

  add(message: Outgoing): void {
    this.#waiting.push({ ...message, at: this.#clock() });
    this.#bytes += message.text.length;
    while (this.#waiting.length > 1 && (this.#waiting.length > mostWaiting || this.#bytes > mostBytes)) {
      this.#drop();
    }
  }

  /** The oldest messages, at most `count` of them and about `bytes`, which is at least one. They stay until `sent`. */
  next(count: number, bytes: number): readonly Outgoing[] {
    const before = this.#clock() - longestWait;
    while (this.#waiting[0] && this.#waiting[0].at < before) this.#drop();
    const taken: Outgoing[] = [];
    for (let sum = 0, at = 0; at < Math.min(count, this.#waiting.length) && sum < bytes; at++) {
      const message = this.#waiting[at];
      if (!message) break;
      taken.push(message);
      sum += message.text.length;
    }
    return taken;
  }

  /** These have been sent: they need not wait any longer. */
  sent(messages: readonly Outgoing[]): void {
    const gone = new Set(messages);
    this.#waiting = this.#waiting.filter((message) => !gone.has(message));
    this.#bytes = this.#waiting.reduce((sum, { text }) => sum + text.length, 0);
    if (this.#waiting.length === 0) this.#dropped = false;
  }

  #drop(): void {
    this.#bytes -= this.#waiting.shift()?.text.length ?? 0;
    if (!this.#dropped) this.#log.warn('messages between processes are dropped: they cannot be delivered');
    this.#dropped = true;
  }
}
