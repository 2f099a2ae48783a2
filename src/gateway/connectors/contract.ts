import type { Log } from '../../platform/log.ts';
import type { NetGuard } from '../../platform/net-guard.ts';
import type { RawId, RpcNotification, RpcRequest, RpcResponse } from '../rpc/message.ts';

/** How to reach one server, with every placeholder filled in. Holds secrets: never logged, never serialized. */
export type Destination =
  | {
      readonly type: 'stdio';
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string;
      /** Filled-in secrets, so that what the server prints can be rid of them. */
      readonly secrets: readonly string[];
    }
  | {
      readonly type: 'http' | 'sse';
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      /** Headers whose value changes while the connection stays: asked for before each request. */
      readonly changing?: ChangingHeaders;
    };

/** Headers with the token of somebody's account. */
export interface ChangingHeaders {
  current(): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** The server answered 401 to these: true when there are other ones to try once more with. */
  refused(headers: Readonly<Record<string, string>>): Promise<boolean>;
}

export type UpstreamFailure =
  | 'unreachable'
  | 'timeout'
  | 'cancelled'
  | 'closed'
  | 'protocol'
  | 'too_large'
  | 'unauthorized'
  | 'session_expired'
  | 'busy'
  /** It failed before, and is left alone for a while: nothing was sent. */
  | 'paused'
  /** Nobody who may has written its command: it is never run. */
  | 'not_allowed'
  | 'http_status';

/** Why an upstream gave no answer. `message` is safe to show: it quotes nothing that the upstream sent. */
export class UpstreamError extends Error {
  readonly kind: UpstreamFailure;
  readonly status: number | undefined;
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** What the account would have to be granted for this (403 with `insufficient_scope`). */
  readonly scopes: readonly string[] | undefined;

  constructor(
    kind: UpstreamFailure,
    message: string,
    options: {
      cause?: unknown;
      status?: number;
      retryAfterMs?: number | undefined;
      scopes?: readonly string[] | undefined;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'UpstreamError';
    this.kind = kind;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.scopes = options.scopes;
  }
}

/** One request on its way. */
export interface Exchange {
  readonly rawId: RawId;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Fires on cancellation and on the deadline; its reason is the error to report. */
  readonly signal: AbortSignal;
  /** Notifications and server requests that belong to this exchange, before its response. */
  onMessage(message: RpcNotification | RpcRequest): void;
  /** The server promised to go on with this stream after a reconnect (a priming event, SEP-1699). */
  readonly onPrimed?: (() => void) | undefined;
  /** The server closed the stream before its response and asks to be polled. */
  readonly onPaused?: (() => void) | undefined;
  /** A subscription, which stays open, or the gate's own business: nothing but what names it belongs to it. */
  readonly isStanding?: boolean;
}

export interface Sink {
  /** A message that belongs to no exchange. */
  onMessage(message: RpcNotification | RpcRequest): void;
  /** The connection is gone for good; every exchange on it has been rejected. */
  onClosed(error: UpstreamError): void;
  /** The stream of such messages was away for a while: what was said meanwhile is lost. */
  onGap?(): void;
  /** The server does not know the session any more; nobody was waiting for an answer that could have said so. */
  onExpired?(error: UpstreamError): void;
}

export interface Established {
  readonly protocolVersion: string;
  /** Keep a stream open for messages that answer no request. */
  readonly listen: boolean;
}

/** A connection to one server. Every implementation passes `connectors.contract.ts`. */
export interface Connector {
  /** In the modern era, whoever closes a response has cancelled; elsewhere the server wants to be told. */
  readonly cancelsByClosing: boolean;
  /** Sends a request and resolves with its response; rejects with an UpstreamError. */
  request(exchange: Exchange): Promise<RpcResponse>;
  /** Sends a notification, or the response to a server's request. */
  send(text: string, signal: AbortSignal): Promise<void>;
  /** Told once the legacy handshake is through. */
  established(handshake: Established): void;
  /** Text that helps to find out why a server failed, e.g. the end of its stderr; empty when there is none. */
  diagnostics(): string;
  /** Takes no further requests; resolves when those under way have ended and nothing is left. */
  retire(): Promise<void>;
  close(): Promise<void>;
}

export interface ConnectorOptions {
  readonly name: string;
  readonly maxResponseBytes: number;
  readonly sink: Sink;
  readonly log: Log;
  /** Checks resolved addresses at connect time; absent for destinations that the operator wrote himself. */
  readonly netGuard?: NetGuard | undefined;
}
