/** A JSON-RPC request as it came. */
export interface RpcRequest {
  readonly id: string | number;
  readonly method: string;
  readonly params?: Record<string, unknown> | undefined;
}

export type RpcMessage = Readonly<Record<string, unknown>>;

/** The way back to the client for one request, with everything one can do wrong on it. */
export interface Wire {
  /** Aborted when the client has gone or has cancelled the request. */
  readonly signal: AbortSignal;
  /** What the client showed of itself: request headers, or the environment of the process. */
  readonly seen: Readonly<Record<string, string>>;
  /** HTTP status of the answer; other transports ignore it. */
  status: number;
  /** Sends one complete frame that holds this text, JSON or not. */
  sendText(text: string): void;
  /** Sends a piece of a frame and never ends it. Resolves when there is room for more. */
  sendBytes(text: string): Promise<void>;
  /** Cuts the connection, mid-frame if one was begun. A process exits with code 0. */
  breakOff(): void;
  /** Cuts the connection without any manners. A process exits with code 1. */
  crash(): void;
}

/** One running server of one kind, as its tools see it. */
export interface Host {
  readonly name: string;
  readonly options: URLSearchParams;
  /** How often each method was received, notifications included. */
  readonly counts: Record<string, number>;
  /** How often `list-changes` has changed its list. */
  ticks: number;
  /** Sends a request to the client and resolves with its whole answer. */
  ask(wire: Wire, method: string, params: RpcMessage): Promise<RpcMessage>;
}

export function send(wire: Wire, message: RpcMessage): void {
  wire.sendText(JSON.stringify(message));
}

/** Resolves when the client has given up. */
export function goneOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** A number among a server's options. */
export function numberOption(options: URLSearchParams, name: string, fallback: number): number {
  return Number(options.get(name) ?? fallback);
}
