import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { type Connector, type Sink, UpstreamError } from '../connectors/contract.ts';
import { closedError } from '../connectors/pending.ts';
import { untilAborted } from '../connectors/until-aborted.ts';
import {
  notificationText,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  requestText,
} from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { answerServer } from './answer-server.ts';
import { Deadline } from './deadline.ts';
import { type Hello, legacyHandshake, modernHandshake, modernHeaders, OtherEraError } from './handshake.ts';
import { isListNews, type Outgoing, underToken, withOwnToken } from './outgoing.ts';
import { followChanges } from './own-subscription.ts';

export interface UpstreamOptions {
  readonly name: string;
  /** Which era to speak; the pool decides, and decides anew when told OtherEraError. */
  readonly era: Era;
  /** Client capabilities to declare, as JSON text. */
  readonly capabilities: string;
  readonly startTimeoutMs: number;
  open(sink: Sink): Connector;
  /** A message that answers no request: list_changed, resources/updated, logging. */
  onUnsolicited(message: RpcNotification): void;
  readonly log: Log;
  readonly clock: Clock;
}

const firstBackoff = 500;
const longestBackoff = 60_000;

interface Sending extends Outgoing {
  readonly deadline: Deadline;
}

/** One connection to a server, opened when first needed and again after it broke, with growing pauses. */
export class Upstream {
  readonly options: UpstreamOptions;
  #connector: Connector | undefined;
  /** Connections of sessions that are over, with answers still to come. */
  readonly #retired = new Set<Connector>();
  #hello: Promise<Hello> | undefined;
  #isReady = false;
  #failures = 0;
  #retryAt = 0;
  #lastError: UpstreamError | undefined;
  #sequence = 0;
  #closed = false;
  #stopFollowing: (() => void) | undefined;
  /** Requests under way, and the start of the server: as long as there are any, it is no idle connection. */
  inFlight = 0;
  lastUsedAt: number;

  constructor(options: UpstreamOptions) {
    this.options = options;
    this.lastUsedAt = options.clock();
  }

  get connected(): boolean {
    return this.#connector !== undefined;
  }

  get lastError(): UpstreamError | undefined {
    return this.#lastError;
  }

  /** Resolves when the server is ready. While it is pausing after a failure, rejects at once with that failure. */
  ready(): Promise<Hello> {
    if (this.#closed)
      return Promise.reject(
        new UpstreamError('closed', `The connection to "${this.options.name}" was closed.`),
      );
    if (this.#hello) return this.#hello;
    if (this.#lastError && this.options.clock() < this.#retryAt) return Promise.reject(this.#lastError);
    const opening = this.#open();
    this.#hello = opening;
    return opening;
  }

  async request(outgoing: Outgoing): Promise<RpcResponse> {
    this.inFlight++;
    this.lastUsedAt = this.options.clock();
    const { controller, timeoutMs } = outgoing;
    const deadline = new Deadline(timeoutMs, this.options.clock, () =>
      controller.abort(this.#timeout(timeoutMs)),
    );
    const sending = { ...outgoing, deadline };
    try {
      if (!this.#isReady) await untilAborted(this.ready(), controller.signal);
      const used = this.#connector;
      try {
        return await this.#send(sending);
      } catch (error) {
        if (!(error instanceof UpstreamError && error.kind === 'session_expired')) throw error;
        // Nothing was done yet: the server only said that it no longer knows the session.
        this.#restart(error, used);
        await untilAborted(this.ready(), controller.signal);
        return await this.#send(sending);
      }
    } finally {
      deadline.clear();
      this.inFlight--;
      this.lastUsedAt = this.options.clock();
    }
  }

  /** An admin wants to know now: the pause after a failure is over. */
  hurry(): void {
    this.#retryAt = 0;
  }

  /** Sends a notification if there is a connection; a notification is no reason to make one. */
  async notify(method: string, rawParams: string | undefined): Promise<void> {
    await this.#connector?.send(notificationText(method, rawParams), AbortSignal.timeout(5_000));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#forget();
    const connector = this.#connector;
    this.#connector = undefined;
    const all = connector ? [connector, ...this.#retired] : [...this.#retired];
    await Promise.all(all.map((one) => one.close()));
  }

  async #open(): Promise<Hello> {
    const { name, era, capabilities, startTimeoutMs } = this.options;
    this.inFlight++;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(this.#timeout(startTimeoutMs)), startTimeoutMs);
    let connector: Connector | undefined;
    try {
      connector = this.options.open(this.#sink(() => connector));
      this.#connector = connector;
      const shake = era === 'modern' ? modernHandshake : legacyHandshake;
      const hello = await shake(connector, capabilities, controller.signal);
      if (this.#connector !== connector) throw closedError(name);
      this.#failures = 0;
      this.#lastError = undefined;
      this.#isReady = true;
      if (era === 'modern') {
        const onMessage = (message: RpcNotification | RpcRequest) => this.#unsolicited(message);
        this.#stopFollowing = followChanges(connector, hello, { name, log: this.options.log, onMessage });
      }
      return hello;
    } catch (error) {
      this.#forget();
      if (error instanceof OtherEraError) {
        await this.#drop(connector);
        throw error;
      }
      const failure =
        error instanceof UpstreamError
          ? error
          : new UpstreamError('unreachable', `The server "${name}" cannot be reached.`, { cause: error });
      if (!this.#closed) this.#failed(failure, connector, 'server did not start');
      await this.#drop(connector);
      throw failure;
    } finally {
      clearTimeout(timer);
      this.inFlight--;
    }
  }

  /** From now on there is a pause, longer after each failure in a row. */
  #failed(error: UpstreamError, connector: Connector | undefined, what: string): void {
    const { name, clock, log } = this.options;
    this.#lastError = error;
    this.#failures++;
    this.#retryAt = clock() + Math.min(longestBackoff, firstBackoff * 2 ** (this.#failures - 1));
    log.warn(
      { server: name, err: error, diagnostics: connector?.diagnostics(), failures: this.#failures },
      what,
    );
  }

  #sink(current: () => Connector | undefined): Sink {
    return {
      onMessage: (message) => this.#unsolicited(message),
      onClosed: (error) => {
        const connector = this.#connector;
        if (connector === undefined || connector !== current()) return;
        this.#connector = undefined;
        // While it starts, #open() is told by its own exchange.
        if (!this.#isReady) return;
        this.#forget();
        this.#failed(error, connector, 'server closed the connection');
        // What is left of it: sockets, timers, a process group.
        connector.close().catch((cause: unknown) => {
          this.options.log.debug(
            { server: this.options.name, err: cause },
            'connection did not close cleanly',
          );
        });
      },
    };
  }

  #forget(): void {
    this.#hello = undefined;
    this.#isReady = false;
    this.#stopFollowing?.();
    this.#stopFollowing = undefined;
  }

  #restart(reason: UpstreamError, used: Connector | undefined): void {
    // Another request may have started the new session already.
    if (used === undefined || this.#connector !== used) return;
    const { name, log } = this.options;
    log.info({ server: name, err: reason }, 'starting a new session');
    this.#forget();
    this.#connector = undefined;
    // Others may still get their answers on the old one.
    this.#retired.add(used);
    used
      .retire()
      .catch((error: unknown) => log.debug({ server: name, err: error }, 'old session did not end cleanly'))
      .finally(() => this.#retired.delete(used))
      .catch(() => undefined);
  }

  async #drop(connector: Connector | undefined): Promise<void> {
    if (connector !== undefined && this.#connector === connector) this.#connector = undefined;
    await connector?.close();
  }

  #send(outgoing: Sending): Promise<RpcResponse> {
    const connector = this.#connector;
    if (!connector) return Promise.reject(this.#lastError ?? closedError(this.options.name));
    const rawId = String(++this.#sequence);
    const { params, token } = withOwnToken(outgoing.rawParams, rawId);
    const modern = this.options.era === 'modern';
    const { controller, method } = outgoing;
    const answer = connector.request({
      rawId,
      text: requestText(rawId, method, params),
      headers: modern ? { ...modernHeaders(method, outgoing.name), ...outgoing.headers } : undefined,
      signal: controller.signal,
      onMessage: (message) => this.#during(outgoing, connector, message, token),
      onPrimed: outgoing.onPrimed,
      onPaused: outgoing.onPaused,
    });
    if (modern) return answer;
    return answer.catch((error: unknown) => {
      if (controller.signal.aborted) this.#tellCancelled(rawId);
      throw error;
    });
  }

  #during(
    outgoing: Sending,
    connector: Connector,
    message: RpcNotification | RpcRequest,
    token: string | undefined,
  ): void {
    const { name, log } = this.options;
    if (message.kind === 'request') {
      const { deadline, onServerRequest } = outgoing;
      const ask = onServerRequest && ((asked: RpcRequest) => deadline.pausedFor(onServerRequest(asked)));
      return answerServer(connector, message, { name, log, ask });
    }
    // Nobody asked for progress, so nobody knows this token.
    if (message.method === 'notifications/progress' && token === undefined) return;
    if (isListNews(message.method)) return this.options.onUnsolicited(message);
    outgoing.deadline.progressed();
    outgoing.onNotification?.(underToken(message, token));
  }

  #unsolicited(message: RpcNotification | RpcRequest): void {
    if (message.kind === 'notification') return this.options.onUnsolicited(message);
    const { name, log } = this.options;
    if (this.#connector) answerServer(this.#connector, message, { name, log, ask: undefined });
  }

  /** The legacy era wants to be told; in the modern one the closed stream says it (basic/patterns/cancellation.mdx). */
  #tellCancelled(rawId: string): void {
    this.notify(
      'notifications/cancelled',
      `{"requestId":${rawId},"reason":"The caller is no longer waiting"}`,
    ).catch((error: unknown) =>
      this.options.log.debug({ server: this.options.name, err: error }, 'cancellation was not delivered'),
    );
  }

  #timeout(milliseconds: number): UpstreamError {
    return new UpstreamError(
      'timeout',
      `The server "${this.options.name}" gave no answer within ${milliseconds / 1000} s.`,
    );
  }
}
