import { type Connector, type Sink, UpstreamError } from '../connectors/contract.ts';
import { closedError } from '../connectors/pending.ts';
import { untilAborted } from '../connectors/until-aborted.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../rpc/message.ts';
import type { LogLevel } from '../rpc/log-level.ts';
import { answerServer } from './answer-server.ts';
import { CallOutcomes } from './call-outcomes.ts';
import type { Circuit } from './circuit.ts';
import { Circuits } from './circuits.ts';
import { Deadline } from './deadline.ts';
import { type Hello, OtherEraError } from './handshake.ts';
import { Interests } from './interests.ts';
import { LogLevels } from './log-levels.ts';
import type { Outgoing } from './outgoing.ts';
import { Reopening } from './reopening.ts';
import { Retired } from './retired.ts';
import { sendOver } from './send.ts';
import { signOfLife } from './sign-of-life.ts';
import { Standing } from './standing.ts';
import { failureToStart, noAnswerWithin, start, wasClosed } from './start.ts';
import type { UpstreamOptions } from './upstream-options.ts';

/** How soon after it was left alone a connection that somebody follows is opened again, in milliseconds. */
const reopenAfter = 50;

/** One connection to a server, opened when first needed and again after it broke, with growing pauses. */
export class Upstream {
  readonly options: UpstreamOptions;
  /** While there are any, it is not put to rest, and opened again when it breaks. */
  readonly interests: Interests;
  /** Of the legacy era. */
  readonly levels: LogLevels;
  #connector: Connector | undefined;
  readonly #retired: Retired;
  #hello: Promise<Hello> | undefined;
  #current: Hello | undefined;
  #wasReady = false;
  readonly #standing: Standing;
  readonly #circuits: Circuits;
  readonly #outcomes: CallOutcomes;
  readonly #reopening: Reopening;
  #sequence = 0;
  #closed = false;
  /** Requests under way, and the start of the server: as long as there are any, it is no idle connection. */
  inFlight = 0;
  lastUsedAt: number;
  /** As which start of the server it last served somebody: what that one lists may hold something of theirs. */
  servedAs: Hello | undefined;

  constructor(options: UpstreamOptions) {
    this.options = options;
    this.lastUsedAt = options.clock();
    const { name, era, log, clock } = options;
    const standing = (this.#standing = options.standing ?? new Standing(name, clock));
    const circuits = (this.#circuits = new Circuits({
      ...{ name, clock, server: standing.circuit },
      ...{ isAlone: options.isAlone ?? false, isPlain: options.capabilities === '{}' },
    }));
    this.#outcomes = new CallOutcomes({ standing, circuits, clock, check: () => this.check() });
    this.#reopening = new Reopening({
      isWanted: () => !this.#closed && !this.interests.isEmpty,
      wait: () => Math.max(0, circuits.nextTry - clock()) + reopenAfter,
      open: () => this.ready(),
      onOtherEra: () => options.onOtherEra?.(),
    });
    this.#retired = new Retired(name, log);
    this.interests = new Interests({
      ...{ name, era, log },
      request: (method, rawParams) => this.#ownRequest(method, rawParams),
      onMessage: (message) => this.#unsolicited(message),
      onGap: () => options.onGap?.(),
    });
    this.levels = new LogLevels((level) => this.#setLevel(level), clock);
  }

  get connected(): boolean {
    return this.#connector !== undefined;
  }

  /** What the server said of itself when it became ready; undefined while it is not. */
  get hello(): Hello | undefined {
    return this.#current;
  }

  /** Of this very connection; the server's own is in its standing. */
  get circuit(): Circuit {
    return this.#circuits.own;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves when the server is ready. While it is left alone after a failure, rejects at once. */
  ready(): Promise<Hello> {
    if (this.#closed) return Promise.reject(wasClosed(this.options.name));
    if (this.#hello) return this.#hello;
    const { refusal } = this.#circuits;
    if (refusal) return Promise.reject(refusal);
    this.#circuits.connecting();
    const opening = this.#open();
    this.#hello = opening;
    return opening;
  }

  async request(outgoing: Outgoing): Promise<RpcResponse> {
    this.inFlight++;
    this.lastUsedAt = this.options.clock();
    const { controller, timeoutMs } = outgoing;
    const deadline = new Deadline(timeoutMs, this.options.clock, () =>
      controller.abort(noAnswerWithin(this.options.name, timeoutMs)),
    );
    try {
      if (!this.#current) await untilAborted(this.ready(), controller.signal);
      this.#outcomes.begun();
      const used = this.#connector;
      try {
        const response = await this.#send(outgoing, deadline);
        this.#circuits.ofCalls.succeeded();
        return response;
      } catch (error) {
        const isConnected = used !== undefined && used === this.#connector;
        this.#outcomes.failed(error, { timeoutMs, isConnected });
        if (!(error instanceof UpstreamError && error.kind === 'session_expired')) throw error;
        // Nothing was done yet: the server only said that it no longer knows the session.
        this.#restart(error, used);
        await untilAborted(this.ready(), controller.signal);
        return await this.#send(outgoing, deadline);
      }
    } finally {
      deadline.clear();
      this.inFlight--;
      this.#standing.lastUsedAt = this.lastUsedAt = this.options.clock();
    }
  }

  /** Asks an open connection whether the server is there, which is no use of it. Rejects when it is not. */
  async check(): Promise<void> {
    const { name, era, log, clock, signOfLifeMs = 5_000, onUnsolicited: onNews } = this.options;
    const connector = this.#connector;
    const hello = this.#current;
    if (!connector || !hello) throw closedError(name);
    const link = { name, era, connector, hello, standing: this.#standing, log, clock };
    await signOfLife({ ...link, onNews, nextId: () => String(++this.#sequence) }, signOfLifeMs);
  }

  /** The server gave no sign of life on an open connection. One that is alone is made again, if nobody waits for it. */
  async silent(error: UpstreamError): Promise<void> {
    const connector = this.#connector;
    const { isAlone, ofCalls } = this.#circuits;
    const failures = ofCalls.failed(error, { opens: true });
    this.#failed(error, connector, { what: 'server gives no sign of life', failures });
    if (!isAlone || this.inFlight > 0) return;
    this.#forget();
    await this.#drop(connector);
    this.#reopening.start();
  }

  /** An admin wants to know now: it is not left alone any longer. */
  hurry(): void {
    this.#circuits.hurry();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reopening.stop();
    this.#forget();
    const connector = this.#connector;
    this.#connector = undefined;
    await Promise.all([connector?.close(), this.#retired.close()]);
  }

  async #open(): Promise<Hello> {
    const { name, startTimeoutMs } = this.options;
    this.inFlight++;
    let connector: Connector | undefined;
    try {
      connector = this.options.open(this.#sink(() => connector));
      this.#connector = connector;
      const hello = await start(connector, this.options);
      if (this.#connector !== connector) throw closedError(name);
      this.#circuits.connected();
      this.#current = hello;
      this.#begin(connector, hello);
      return hello;
    } catch (error) {
      this.#forget();
      if (error instanceof OtherEraError) {
        this.#circuits.release();
        await this.#drop(connector);
        throw error;
      }
      const failure = failureToStart(name, error);
      const cost = failure.kind === 'timeout' ? startTimeoutMs : 0;
      if (!this.#closed)
        this.#failed(failure, connector, {
          what: 'server did not start',
          failures: this.#circuits.notConnected(failure, cost),
        });
      await this.#drop(connector);
      throw failure;
    } finally {
      this.inFlight--;
    }
  }

  /** What the server has to be told anew in each session. */
  #begin(connector: Connector, hello: Hello): void {
    this.interests.begin(connector, hello);
    if (hello.era === 'legacy' && 'logging' in hello.capabilities) this.levels.begin();
    if (this.#wasReady) this.#standing.restarts++;
    if (this.#wasReady) this.options.onGap?.();
    this.options.onOpened?.();
    this.#wasReady = true;
  }

  #failed(
    error: UpstreamError,
    connector: Connector | undefined,
    { what, failures }: { what: string; failures: number },
  ): void {
    const { name, log, clock } = this.options;
    this.#standing.noted(error, clock());
    log.warn({ server: name, err: error, diagnostics: connector?.diagnostics(), failures }, what);
    this.#reopening.soon();
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
        const failures = this.#circuits.disconnected(error);
        this.#failed(error, connector, { what: 'server closed the connection', failures });
        // What is left of it: sockets, timers, a process group.
        this.#retired.add(connector);
      },
      onGap: () => this.options.onGap?.(),
      onExpired: (error) => {
        this.#restart(error, current());
        this.#reopening.start();
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
  }

  async #drop(connector: Connector | undefined): Promise<void> {
    if (connector !== undefined && this.#connector === connector) this.#connector = undefined;
    await connector?.close();
  }

  #send(outgoing: Outgoing, deadline: Deadline): Promise<RpcResponse> {
    const connector = this.#connector;
    const { name, era, log, onUnsolicited } = this.options;
    if (!connector) return Promise.reject(this.#circuits.refusal ?? closedError(name));
    const isLook = outgoing.isOwn && outgoing.method.endsWith('/list');
    if (!isLook) this.servedAs = this.#current;
    const rawId = String(++this.#sequence);
    return sendOver({ name, era, connector, log, rawId, deadline, onNews: onUnsolicited }, outgoing);
  }

  #ownRequest(method: string, rawParams: string): Promise<RpcResponse> {
    const own = { controller: new AbortController(), timeoutMs: this.options.startTimeoutMs };
    return this.request({ method, rawParams, ...own, isOwn: true });
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
}
