import { type Clock, isAhead } from '../../platform/clock.ts';
import { UpstreamError } from '../connectors/contract.ts';

export type CircuitState = 'closed' | 'open' | 'half-open';

/** Failures in a row that open it, where one alone does not. */
const callsToOpen = 5;
const shortest = 500;
const longest = 60_000;
/** Whatever a server asks for, it is tried again after this, in milliseconds. */
const longestAsked = 300_000;
/** How long the one attempt of a half-open circuit keeps the others away, in milliseconds. */
const probeMs = 10_000;

/** How grave a failure is. */
export interface Gravity {
  /** It opens the circuit whatever came before it. */
  readonly opens?: boolean;
  /** How long the attempt kept its callers waiting, in milliseconds: the next ones are spared as long. */
  readonly cost?: number;
}

/**
 * Leaves alone what has failed: refuses at once while it is open, twice as long after each failure in a row. Then one
 * attempt goes through, and its success closes the circuit.
 */
export class Circuit {
  readonly #name: string;
  readonly #clock: Clock;
  #failures = 0;
  #openings = 0;
  #failingSince = 0;
  /** 0 while it is closed. */
  #until = 0;
  #probeUntil = 0;
  #error: UpstreamError | undefined;
  #isAboutCalls = false;

  constructor(name: string, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
  }

  /** All that a call looks at while all is well. */
  get isClosed(): boolean {
    return this.#until === 0;
  }

  get state(): CircuitState {
    if (this.#until === 0) return 'closed';
    return isAhead(this.#until, this.#clock(), longestAsked) ? 'open' : 'half-open';
  }

  /** Since when it fails, in milliseconds since the epoch; undefined while it is closed. */
  get since(): number | undefined {
    return this.#until === 0 ? undefined : this.#failingSince;
  }

  /** When it is tried again, in milliseconds since the epoch; undefined while it is closed. */
  get nextTry(): number | undefined {
    if (this.#until === 0) return undefined;
    return Math.min(Math.max(this.#until, this.#probeUntil), this.#clock() + longestAsked);
  }

  /** Would one more failure open it? */
  get isOnEdge(): boolean {
    return this.#until === 0 && this.#failures + 1 >= callsToOpen;
  }

  /** Why nobody may ask at the moment; undefined: whoever asks calls `begin` first. */
  get refusal(): UpstreamError | undefined {
    if (this.#until === 0) return undefined;
    const now = this.#clock();
    const again = Math.max(this.#until, this.#probeUntil);
    if (!isAhead(again, now, longestAsked)) return undefined;
    const seconds = Math.max(1, Math.ceil((again - now) / 1000));
    const next = now < this.#until ? `is tried again in ${seconds} s` : 'is being tried at this moment';
    const message = `The server "${this.#name}" has been failing since ${moment(this.#failingSince)} and ${next}. Last failure: ${this.#error?.message}`;
    return new UpstreamError('paused', message, { cause: this.#error });
  }

  /** An attempt begins. While half-open it is the only one, until it ends or takes too long. */
  begin(): void {
    if (this.#until !== 0) this.#probeUntil = this.#clock() + probeMs;
  }

  /** The attempt says nothing of the server: the next one may begin. */
  release(): void {
    this.#probeUntil = 0;
  }

  /** A call was answered. */
  succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = this.#openings = this.#until = this.#probeUntil = 0;
  }

  /** The server is there: it took a connection, or gave a sign of life. Calls that it refuses are another matter. */
  answered(): void {
    if (this.#until === 0) return;
    if (this.#isAboutCalls) this.release();
    else this.succeeded();
  }

  /** Returns how often it has opened in a row. */
  failed(error: UpstreamError, { opens = false, cost = 0 }: Gravity = {}): number {
    const now = this.#clock();
    if (this.#failures++ === 0) this.#failingSince = now;
    this.#error = error;
    this.#probeUntil = 0;
    // What began before it opened, and ends now, tells nothing new.
    if (isAhead(this.#until, now, longestAsked)) return this.#openings;
    if (!opens && this.#until === 0 && this.#failures < callsToOpen) return this.#openings;
    this.#openings++;
    this.#isAboutCalls = error.kind === 'http_status' && !opens;
    const grown = Math.min(longest, shortest * 2 ** (this.#openings - 1));
    const asked = Math.min(longestAsked, error.retryAfterMs ?? 0);
    this.#until = now + Math.max(grown, Math.min(longest, cost), asked);
    return this.#openings;
  }

  /** Somebody wants to know now. */
  hurry(): void {
    this.#probeUntil = 0;
    if (this.#until !== 0) this.#until = Math.min(this.#until, this.#clock());
  }
}

/** `2026-11-20 18:00:05 UTC`. */
function moment(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
