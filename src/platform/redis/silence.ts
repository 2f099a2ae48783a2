import { availableParallelism, loadavg } from 'node:os';

/** Nothing was heard for too long. */
export class NotHeard extends Error {
  static readonly code = 'SILENT';
  readonly code = NotHeard.code;

  constructor() {
    super('There was no answer in time.');
    this.name = 'NotHeard';
  }
}

/** How long this process may listen with nothing else to do, and hear nothing, in milliseconds. */
const longestSilence = 50;
/** The same where others wait for the processors of this machine: the other side may wait for them as well. */
const longestWhenCrowded = 250;
/** A process that is never idle hears what there is all the same, each time that it looks. */
const mostLooks = 10;

interface Waiting {
  /** How long this process had been idle when it asked. */
  readonly since: number;
  readonly giveUp: (error: NotHeard) => void;
}

/**
 * Bounds how long questions wait by how long nothing was heard at all: in a flood an answer may stand behind a thousand
 * others that keep coming. Only time counts in which this process could have heard something: an answer that it has yet
 * to read, because it is busy, is not missing.
 */
export class Silence {
  readonly #waiting = new Set<Waiting>();
  #lastHeard = 0;
  #looks = 0;
  #timer: NodeJS.Timeout | undefined;

  async bounded<T>(ask: () => Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const waiting = { since: idleTime(), giveUp: reject };
    this.#waiting.add(waiting);
    if (!this.#timer) this.#listen();
    try {
      return await Promise.race([ask(), promise]);
    } finally {
      this.#lastHeard = idleTime();
      this.#looks = 0;
      this.#waiting.delete(waiting);
      if (this.#waiting.size === 0) this.#rest();
    }
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#looks = 0;
  }

  #listen(): void {
    // What has arrived meanwhile is read before anybody looks.
    this.#timer = setTimeout(() => setImmediate(() => this.#look()), longestSilence);
  }

  #look(): void {
    const [oldest] = this.#waiting;
    if (!oldest) return this.#rest();
    const idle = idleTime() - Math.max(oldest.since, this.#lastHeard);
    const longest = isCrowded() ? longestWhenCrowded : longestSilence;
    // Timers are exact to a millisecond.
    if (idle < longest - 1 && ++this.#looks < mostLooks) return this.#listen();
    this.#rest();
    for (const { giveUp } of [...this.#waiting]) giveUp(new NotHeard());
  }
}

/** For how long this process has waited for something to happen since it started, in milliseconds. */
function idleTime(): number {
  return performance.eventLoopUtilization().idle;
}

function isCrowded(): boolean {
  const [lastMinute = 0] = loadavg();
  return lastMinute > availableParallelism();
}
