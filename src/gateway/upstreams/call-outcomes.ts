import type { Clock } from '../../platform/clock.ts';
import { UpstreamError, type UpstreamFailure } from '../connectors/contract.ts';
import type { Circuits } from './circuits.ts';
import type { Standing } from './standing.ts';

/** What became of one call. */
export interface Ended {
  /** The connection that it went out on is still there. */
  readonly isConnected: boolean;
  readonly timeoutMs: number;
}

export interface OutcomesOptions {
  readonly standing: Standing;
  readonly circuits: Circuits;
  readonly clock: Clock;
  /** Rejects when the server gives no sign of life. */
  check(): Promise<void>;
}

/** The caller gave up; a session ended, and the call is made again in the next one. */
const noFault: readonly UpstreamFailure[] = ['cancelled', 'session_expired'];

/** Tells the circuit that calls look at what becomes of each. */
export class CallOutcomes {
  readonly #options: OutcomesOptions;
  #confirming: Promise<void> | undefined;

  constructor(options: OutcomesOptions) {
    this.#options = options;
  }

  /** Throws where the server is left alone. */
  begun(): void {
    const { standing, circuits } = this.#options;
    const { ofCalls } = circuits;
    if (!ofCalls.isClosed) {
      const { refusal } = ofCalls;
      if (refusal) throw refusal;
      ofCalls.begin();
    }
    standing.calls++;
  }

  failed(error: unknown, { isConnected, timeoutMs }: Ended): void {
    const { standing, circuits, clock } = this.#options;
    if (error instanceof UpstreamError && !noFault.includes(error.kind)) standing.noted(error, clock());
    // That the connection is gone has been told once for all calls on it.
    if (!isConnected) return circuits.ofCalls.release();
    if (circuits.callFailed(error, timeoutMs)) return;
    this.#confirming ??= this.#confirm(error, timeoutMs).finally(() => {
      this.#confirming = undefined;
    });
  }

  /** One slow or broken tool must not take a server from everybody: something easier is asked of it first. */
  async #confirm(error: unknown, timeoutMs: number): Promise<void> {
    const { circuits, check } = this.#options;
    try {
      await check();
      circuits.ofCalls.succeeded();
    } catch {
      if (error instanceof UpstreamError) circuits.silent(error, timeoutMs);
    }
  }
}
