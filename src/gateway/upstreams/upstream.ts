import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { type Connector, type Sink, UpstreamError } from '../connectors/contract.ts';
import { closedError } from '../connectors/pending.ts';
import { untilAborted } from '../connectors/until-aborted.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../rpc/message.ts';
import type { LogLevel } from '../rpc/log-level.ts';
import type { Era } from '../rpc/protocol.ts';
import { answerServer } from './answer-server.ts';
import { Deadline } from './deadline.ts';
import { type Hello, legacyHandshake, modernHandshake, OtherEraError } from './handshake.ts';
import { Interests } from './interests.ts';
import { LogLevels } from './log-levels.ts';
import type { Outgoing } from './outgoing.ts';
import { Pause } from './pause.ts';
import { sendOver } from './send.ts';

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
  /** The server was out of hearing for a while: anything may have changed. */
  onGap?(): void;
  /** It was opened again by itself, and the server speaks another era by now. */
  onOtherEra?(): void;
  readonly log: Log;
  readonly clock: Clock;
}

/** How soon after its pause a connection that somebody follows is opened again, in milliseconds. */
const reopenAfter = 50;

/** One connection to a server, opened when first needed and again after it broke, with growing pauses. */
export class Upstream {
  readonly options: UpstreamOptions;
  /** While there are any, it is not put to rest, and opened again when it breaks. */
  readonly interests: Interests;
  /** Of the legacy era. */
  readonly levels: LogLevels;
  #connector: Connector | undefined;
  /** Connections of sessions that are over, with answers still to come. */
  readonly #retired = new Set<Connector>();
  #hello: Promise<Hello> | undefined;
  #current: Hello | undefined;
  #wasReady = false;
  readonly #pause: Pause;
  #reopening: NodeJS.Timeout | undefined;
  #sequence = 0;
  #closed = false;
  /** Requests under way, and the start of the server: as long as there are any, it is no idle connection. */
  inFlight = 0;
  lastUsedAt: number;

  constructor(options: UpstreamOptions) {
    this.options = options;
    this.lastUsedAt = options.clock();
    this.#pause = new Pause(options.clock);
    const { name, era, log } = options;
    this.interests = new Interests({
      ...{ name, era, log },
      request: (method, rawParams) => this.#ownRequest(method, rawParams),
      onMessage: (message) => this.#unsolicited(message),
      onGap: () => options.onGap?.(),
    });
    this.levels = new LogLevels((level) => this.#setLevel(level), options.clock);
  }

  get connected(): boolean {
    return this.#connector !== undefined;
  }

  /** What the server said of itself when it became ready; undefined while it is not. */
  get hello(): Hello | undefined {
    return this.#current;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves when the server is ready. While it is pausing after a failure, rejects at once with that failure. */
  ready(): Promise<Hello> {
    if (this.#closed)
      return Promise.reject(
        new UpstreamError('closed', `The connection to "${this.options.name}" was closed.`),
      );
    if (this.#hello) return this.#hello;
    if (this.#pause.reason) return Promise.reject(this.#pause.reason);
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
    try {
      if (!this.#current) await untilAborted(this.ready(), controller.signal);
      const used = this.#connector;
      try {
        return await this.#send(outgoing, deadline);
      } catch (error) {
        if (!(error instanceof UpstreamError && error.kind === 'session_expired')) throw error;
        // Nothing was done yet: the server only said that it no longer knows the session.
        this.#restart(error, used);
        await untilAborted(this.ready(), controller.signal);
        return await this.#send(outgoing, deadline);
      }
    } finally {
      deadline.clear();
      this.inFlight--;
      this.lastUsedAt = this.options.clock();
    }
  }

  /** An admin wants to know now: the pause after a failure is over. */
  hurry(): void {
    this.#pause.end();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reopening);
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
      this.#pause.succeeded();
      this.#current = hello;
      this.#begin(connector, hello);
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
      const cost = failure.kind === 'timeout' ? startTimeoutMs : 0;
      if (!this.#closed) this.#failed(failure, connector, { what: 'server did not start', cost });
      await this.#drop(connector);
      throw failure;
    } finally {
      clearTimeout(timer);
      this.inFlight--;
    }
  }

  /** What the server has to be told anew in each session. */
  #begin(connector: Connector, hello: Hello): void {
    this.interests.begin(connector, hello);
    if (hello.era === 'legacy' && 'logging' in hello.capabilities) this.levels.begin();
    if (this.#wasReady) this.options.onGap?.();
    this.#wasReady = true;
  }

  /** From now on there is a pause, longer after each failure in a row. */
  #failed(
    error: UpstreamError,
    connector: Connector | undefined,
    { what, cost }: { what: string; cost: number },
  ): void {
    const failures = this.#pause.failed(error, cost);
    const { name, log } = this.options;
    log.warn({ server: name, err: error, diagnostics: connector?.diagnostics(), failures }, what);
    this.#reopenSoon();
  }

  /** Nobody who only listens would open it again. */
  #reopenSoon(): void {
    if (!this.interests.isEmpty) this.#reopen();
  }

  #reopen(): void {
    if (this.#closed || this.#reopening) return;
    this.#reopening = setTimeout(() => {
      this.#reopening = undefined;
      this.ready().catch((error: unknown) => {
        if (error instanceof OtherEraError) this.options.onOtherEra?.();
        else this.#reopenSoon();
      });
    }, this.#pause.remaining + reopenAfter).unref();
  }

  #sink(current: () => Connector | undefined): Sink {
    return {
      onMessage: (message) => this.#unsolicited(message),
      onClosed: (error) => {
        const connector = this.#connector;
        if (connector === undefined || connector !== current()) return;
        this.#connector = undefined;
        // While it starts, #open() is told by its own exchange.
        if (!this.#current) return;
        this.#forget();
        this.#failed(error, connector, { what: 'server closed the connection', cost: 0 });
        // What is left of it: sockets, timers, a process group.
        connector.close().catch((cause: unknown) => {
          this.options.log.debug(
            { server: this.options.name, err: cause },
            'connection did not close cleanly',
          );
        });
      },
      onGap: () => this.options.onGap?.(),
      onExpired: (error) => {
        this.#restart(error, current());
        this.#reopen();
      },
    };
  }

  #forget(): void {
    this.#hello = undefined;
    this.#current = undefined;
    this.interests.end();
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

  #send(outgoing: Outgoing, deadline: Deadline): Promise<RpcResponse> {
    const connector = this.#connector;
    const { name, era, log, onUnsolicited } = this.options;
    if (!connector) return Promise.reject(this.#pause.reason ?? closedError(name));
    const rawId = String(++this.#sequence);
    return sendOver({ name, era, connector, log, rawId, deadline, onNews: onUnsolicited }, outgoing);
  }

  #ownRequest(method: string, rawParams: string): Promise<RpcResponse> {
    const { startTimeoutMs: timeoutMs } = this.options;
    const controller = new AbortController();
    return this.request({ method, rawParams, controller, timeoutMs, isOwn: true });
  }

  async #setLevel(level: LogLevel): Promise<void> {
    const { log, name } = this.options;
    await this.#ownRequest('logging/setLevel', JSON.stringify({ level })).catch((error: unknown) =>
      log.debug({ server: name, err: error }, 'the log level could not be set'),
    );
  }

  #unsolicited(message: RpcNotification | RpcRequest): void {
    if (message.kind === 'notification') return this.options.onUnsolicited(message);
    const { name, log } = this.options;
    if (this.#connector) answerServer(this.#connector, message, { name, log, ask: undefined });
  }

  #timeout(milliseconds: number): UpstreamError {
    return new UpstreamError(
      'timeout',
      `The server "${this.options.name}" gave no answer within ${milliseconds / 1000} s.`,
    );
  }
}
