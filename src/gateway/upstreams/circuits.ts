import type { Clock } from '../../platform/clock.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { Circuit } from './circuit.ts';

export interface CircuitsOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Of the server, shared by all connections to it. */
  readonly server: Circuit;
  /** A process or a stream: what goes wrong there says nothing of other connections. */
  readonly isAlone: boolean;
  /** Nothing that a client chose is said when it is made. */
  readonly isPlain: boolean;
}

/**
 * What one connection looks at before it does anything: the circuit of its server, which all connections to it share,
 * and one of its own for what a client can bring about at its own connection, such as a process that broke down. No
 * client may take a server from the others.
 */
export class Circuits {
  readonly own: Circuit;
  readonly server: Circuit;
  /** The one that calls look at. */
  readonly ofCalls: Circuit;
  readonly isAlone: boolean;
  readonly #isPlain: boolean;

  constructor({ name, clock, server, isAlone, isPlain }: CircuitsOptions) {
    this.own = new Circuit(name, clock);
    this.server = server;
    this.ofCalls = isAlone ? this.own : server;
    this.isAlone = isAlone;
    this.#isPlain = isPlain;
  }

  /** Why no connection is made at the moment. */
  get refusal(): UpstreamError | undefined {
    return this.own.refusal ?? this.server.refusal;
  }

  /** When the next one may be made, in milliseconds since the epoch. */
  get nextTry(): number {
    return Math.max(this.own.nextTry ?? 0, this.server.nextTry ?? 0);
  }

  connecting(): void {
    this.own.begin();
    this.server.begin();
  }

  connected(): void {
    this.own.answered();
    this.server.answered();
  }

  /** The attempt said nothing of the server. */
  release(): void {
    this.own.release();
    this.server.release();
  }

  /** `cost` is how long callers waited, in milliseconds. Returns how often the circuit has opened in a row. */
  notConnected(error: UpstreamError, cost: number): number {
    this.release();
    const isOfServer = error.kind === 'unreachable' || (this.#isPlain && isFault(error));
    return (isOfServer ? this.server : this.own).failed(error, { opens: true, cost });
  }

  /** The connection is gone, and with it every call on it. */
  disconnected(error: UpstreamError): number {
    return this.own.failed(error, { opens: true });
  }

  /** A call failed on a connection that is still there. False: whether the server is to blame has to be found out. */
  callFailed(error: unknown, timeoutMs: number): boolean {
    const { ofCalls } = this;
    if (!(error instanceof UpstreamError) || !isFault(error)) this.#notBlamed(error);
    else if (ofCalls.isOnEdge && !isRefused(error)) return false;
    else ofCalls.failed(error, { cost: costOf(error, timeoutMs) });
    return true;
  }

  /** It gave no sign of life either. */
  silent(error: UpstreamError, timeoutMs: number): void {
    this.ofCalls.failed(error, { opens: true, cost: costOf(error, timeoutMs) });
  }

  hurry(): void {
    this.own.hurry();
    this.server.hurry();
  }

  #notBlamed(error: unknown): void {
    if (this.ofCalls.isClosed) return;
    const isAnswer = error instanceof UpstreamError && error.kind !== 'cancelled' && error.kind !== 'busy';
    if (isAnswer) this.ofCalls.answered();
    this.ofCalls.release();
  }
}

/** Not the answers of a tool, nor refusals, nor callers who gave up. */
function isFault({ kind, status = 0 }: UpstreamError): boolean {
  return kind === 'unreachable' || kind === 'timeout' || kind === 'closed' || status >= 500 || status === 429;
}

/** Nobody was there, or somebody said that there is nobody: no single request brings that about. */
function isRefused({ kind, status = 0 }: UpstreamError): boolean {
  return kind === 'unreachable' || status === 429 || (status > 501 && status < 505);
}

function costOf(error: UpstreamError, timeoutMs: number): number {
  return error.kind === 'timeout' ? timeoutMs : 0;
}
