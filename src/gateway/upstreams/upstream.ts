import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { type Connector, type Sink, UpstreamError } from '../connectors/contract.ts';
import { errorText, isObject, notificationText, type RpcNotification, type RpcRequest, type RpcResponse, requestText, resultText } from '../rpc/message.ts';
import { type Era, rpcCode } from '../rpc/protocol.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import { type Hello, legacyHandshake, modernHandshake, modernHeaders, OtherEraError, ownMeta } from './handshake.ts';

/** A request to a server, as the gate's steps make it. */
export interface Outgoing {
  readonly method: string;
  readonly rawParams: string | undefined;
  /** `Mcp-Name` of the modern era. */
  readonly name?: string | undefined;
  /** Further mirrored headers, `Mcp-Param-*`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Aborted by the deadline; the caller aborts it to cancel. */
  readonly controller: AbortController;
  readonly timeoutMs: number;
  /** Notifications that belong to this request, progress tokens already the caller's own. */
  onNotification?(message: RpcNotification): void;
  /** A request of the server to the client; resolves with the text of the client's result or error. */
  onServerRequest?(message: RpcRequest): Promise<ClientAnswer>;
  readonly onPrimed?: (() => void) | undefined;
  readonly onPaused?: (() => void) | undefined;
}

export type ClientAnswer = { readonly rawResult: string } | { readonly rawError: string };

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
const resubscribeAfter = 5_000;

/** One connection to a server, opened when first needed and again after it broke, with growing pauses. */
export class Upstream {
  readonly options: UpstreamOptions;
  #connector: Connector | undefined;
  #hello: Promise<Hello> | undefined;
  #isReady = false;
  #failures = 0;
  #retryAt = 0;
  #lastError: UpstreamError | undefined;
  #sequence = 0;
  #closed = false;
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
    if (this.#closed) return Promise.reject(new UpstreamError('closed', `The connection to "${this.options.name}" was closed.`));
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
    const timer = setTimeout(() => controller.abort(this.#timeout(timeoutMs)), timeoutMs);
    try {
      if (!this.#isReady) await this.#within(this.ready(), controller.signal);
      const used = this.#connector;
      try {
        return await this.#send(outgoing);
      } catch (error) {
        if (!(error instanceof UpstreamError && error.kind === 'session_expired')) throw error;
        // Nothing was done yet: the server only said that it no longer knows the session.
        await this.#restart(error, used);
        await this.#within(this.ready(), controller.signal);
        return await this.#send(outgoing);
      }
    } finally {
      clearTimeout(timer);
      this.inFlight--;
      this.lastUsedAt = this.options.clock();
    }
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
    await connector?.close();
  }

  async #open(): Promise<Hello> {
    const { name, era, capabilities, startTimeoutMs, clock } = this.options;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(this.#timeout(startTimeoutMs)), startTimeoutMs);
    let connector: Connector | undefined;
    try {
      connector = this.options.open(this.#sink(() => connector));
      this.#connector = connector;
      const shake = era === 'modern' ? modernHandshake : legacyHandshake;
      const hello = await shake(connector, capabilities, controller.signal);
      this.#failures = 0;
      this.#lastError = undefined;
      this.#isReady = this.#connector === connector;
      if (era === 'modern') this.#follow(connector, hello);
      return hello;
    } catch (error) {
      this.#forget();
      if (error instanceof OtherEraError) {
        await this.#drop(connector);
        throw error;
      }
      this.#failures++;
      this.#retryAt = clock() + Math.min(longestBackoff, firstBackoff * 2 ** (this.#failures - 1));
      this.#lastError = error instanceof UpstreamError ? error : new UpstreamError('unreachable', `The server "${name}" cannot be reached.`, { cause: error });
      this.options.log.warn({ server: name, err: error, diagnostics: connector?.diagnostics(), failures: this.#failures }, 'server did not start');
      await this.#drop(connector);
      throw this.#lastError;
    } finally {
      clearTimeout(timer);
    }
  }

  /** A modern server announces changes on a subscription of the gate's own, for as long as the connection lives. */
  #follow(connector: Connector, hello: Hello): void {
    const filter = changeFilter(hello.capabilities);
    if (filter === undefined) return;
    const rawId = '"changes"';
    const params = ownParams('modern', '{}', { notifications: filter });
    const controller = new AbortController();
    connector
      .request({
        rawId,
        text: requestText(rawId, 'subscriptions/listen', params),
        headers: modernHeaders('subscriptions/listen'),
        signal: controller.signal,
        onMessage: (message) => this.#unsolicited(message),
      })
      .catch((error: unknown) => this.options.log.debug({ server: this.options.name, err: error }, 'subscription ended'))
      .then(() => {
        // Whatever changed meanwhile is seen at the next regular look; a new subscription is made a little later.
        const again = setTimeout(() => this.#connector === connector && this.#follow(connector, hello), resubscribeAfter);
        again.unref();
      })
      .catch(() => undefined);
  }

  #sink(current: () => Connector | undefined): Sink {
    return {
      onMessage: (message) => this.#unsolicited(message),
      onClosed: (error) => {
        if (this.#connector === undefined || this.#connector !== current()) return;
        this.options.log.warn({ server: this.options.name, err: error, diagnostics: this.#connector.diagnostics() }, 'server closed the connection');
        this.#connector = undefined;
        this.#forget();
        this.#lastError = error;
        this.#failures++;
        this.#retryAt = this.options.clock() + Math.min(longestBackoff, firstBackoff * 2 ** (this.#failures - 1));
      },
    };
  }

  #forget(): void {
    this.#hello = undefined;
    this.#isReady = false;
  }

  async #restart(reason: UpstreamError, used: Connector | undefined): Promise<void> {
    // Another request may have started the new session already.
    if (this.#connector !== used) return;
    this.options.log.info({ server: this.options.name, err: reason }, 'starting a new session');
    this.#forget();
    await this.#drop(used);
  }

  async #drop(connector: Connector | undefined): Promise<void> {
    if (connector !== undefined && this.#connector === connector) this.#connector = undefined;
    await connector?.close();
  }

  #send(outgoing: Outgoing): Promise<RpcResponse> {
    const connector = this.#connector;
    if (!connector) return Promise.reject(this.#lastError ?? new UpstreamError('closed', `The server "${this.options.name}" closed the connection.`));
    const rawId = String(++this.#sequence);
    const { params, token } = this.#params(outgoing, rawId);
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
    if (!modern) this.#tellCancelled(answer, controller.signal, rawId);
    return answer;
  }

  /** Request ids double as progress tokens, so that two callers with the same token do not meet. */
  #params(outgoing: Outgoing, rawId: string): { params: string | undefined; token: string | undefined } {
    const { rawParams } = outgoing;
    if (rawParams === undefined || !rawParams.includes('progressToken')) return { params: rawParams, token: undefined };
    const spans = findMember(membersOf(rawParams), '_meta');
    if (!spans) return { params: rawParams, token: undefined };
    const rawMeta = rawParams.slice(spans.start, spans.end);
    const token = rawMeta.startsWith('{') ? findMember(membersOf(rawMeta), 'progressToken') : undefined;
    if (!token) return { params: rawParams, token: undefined };
    const changed = editObject(rawMeta, { progressToken: rawId });
    return { params: editObject(rawParams, { _meta: changed }), token: rawMeta.slice(token.start, token.end) };
  }

  #during(outgoing: Outgoing, connector: Connector, message: RpcNotification | RpcRequest, token: string | undefined): void {
    if (message.kind === 'request') return this.#answerServer(connector, message, outgoing.onServerRequest?.bind(outgoing));
    const isProgress = message.method === 'notifications/progress';
    // Nobody asked for progress, so nobody knows this token.
    if (isProgress && token === undefined) return;
    if (isListNews(message.method)) return this.options.onUnsolicited(message);
    const rawParams = isProgress && token !== undefined ? editObject(message.rawParams ?? '{}', { progressToken: token }) : message.rawParams;
    outgoing.onNotification?.({ ...message, rawParams });
  }

  #unsolicited(message: RpcNotification | RpcRequest): void {
    if (message.kind === 'notification') return this.options.onUnsolicited(message);
    const connector = this.#connector;
    if (connector) this.#answerServer(connector, message, undefined);
  }

  /** Requests that cannot be laid at one caller's door are refused: asking the wrong person would leak. */
  #answerServer(connector: Connector, message: RpcRequest, ask: ((message: RpcRequest) => Promise<ClientAnswer>) | undefined): void {
    const { method, rawId } = message;
    const refusal = `{"code":${rpcCode.methodNotFound},"message":"No client is there to answer ${method.replaceAll(/[^a-zA-Z/_]/g, '')}"}`;
    const answer = method === 'ping' ? Promise.resolve({ rawResult: '{}' }) : (ask?.(message) ?? Promise.resolve({ rawError: refusal }));
    answer
      .then((reply) => connector.send('rawResult' in reply ? resultText(rawId, reply.rawResult) : errorText(rawId, reply.rawError), AbortSignal.timeout(10_000)))
      .catch((error: unknown) => this.options.log.debug({ server: this.options.name, err: error }, 'answer to the server was not delivered'));
  }

  /** The legacy era wants to be told; in the modern one the closed stream says it (basic/patterns/cancellation.mdx). */
  #tellCancelled(answer: Promise<unknown>, signal: AbortSignal, rawId: string): void {
    const tell = () => {
      this.notify('notifications/cancelled', `{"requestId":${rawId},"reason":"The caller is no longer waiting"}`).catch((error: unknown) =>
        this.options.log.debug({ server: this.options.name, err: error }, 'cancellation was not delivered'),
      );
    };
    signal.addEventListener('abort', tell, { once: true });
    const forget = () => signal.removeEventListener('abort', tell);
    answer.then(forget, forget);
  }

  #within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const aborted = () => reject(signal.reason);
      if (signal.aborted) return aborted();
      signal.addEventListener('abort', aborted, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
    });
  }

  #timeout(milliseconds: number): UpstreamError {
    return new UpstreamError('timeout', `The server "${this.options.name}" gave no answer within ${milliseconds / 1000} s.`);
  }
}

/** Params of a modern request that the gate makes itself. */
export function ownParams(era: Era, capabilities: string, members: Readonly<Record<string, string>>): string | undefined {
  const all = era === 'modern' ? { ...members, _meta: ownMeta(capabilities) } : members;
  return Object.keys(all).length === 0 ? undefined : editObject('{}', all);
}

/** `notifications` of `subscriptions/listen`: every list whose changes the server announces (basic/patterns/subscriptions.mdx). */
function changeFilter(capabilities: Readonly<Record<string, unknown>>): string | undefined {
  const kinds = ['tools', 'prompts', 'resources'].filter((kind) => {
    const value = capabilities[kind];
    return isObject(value) && value['listChanged'] === true;
  });
  return kinds.length === 0 ? undefined : JSON.stringify(Object.fromEntries(kinds.map((kind) => [`${kind}ListChanged`, true])));
}

function isListNews(method: string): boolean {
  return method.endsWith('/list_changed') || method === 'notifications/resources/updated';
}
