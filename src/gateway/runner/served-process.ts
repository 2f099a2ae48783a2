import type { ServerResponse } from 'node:http';
import type { Log } from '../../platform/log.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { StdioConnector } from '../connectors/stdio.ts';
import {
  notificationText,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  requestText,
  responseText,
} from '../rpc/message.ts';
import { AnswerStream, type Brake, EventWriter, sendFailure } from './answer-stream.ts';
import type { Contained } from './containment/launch.ts';
import type { Owner } from './data-directory.ts';
import { eventNames, type Failure, failure } from './wire.ts';

export interface ServedOptions {
  readonly id: string;
  readonly owner: Owner;
  readonly maxMessageBytes: number;
  readonly secrets: readonly string[];
  readonly log: Log;
  /** Nothing of it is left. */
  onEnded(): Promise<void> | void;
}

/** How long a process stays that nobody listens to, in milliseconds. */
const lease = 10_000;
const keepAlive = 15_000;
const diagnosticsEvery = 200;
/** What is said before somebody listens, in characters. */
const mostKept = 1024 * 1024;

/**
 * One stdio server, served over HTTP: a POST carries one message, its answer whatever belongs to it, and one stream
 * whatever belongs to none. That stream is its life: when whoever listens is gone, so is the process.
 */
export class ServedProcess {
  readonly id: string;
  readonly owner: Owner;
  readonly startedAt = new Date();
  readonly #options: ServedOptions;
  readonly #contained: Contained;
  readonly #connector: StdioConnector;
  readonly #active = new Set<string>();
  /** Requests whose cancellation the gate has sent itself. */
  readonly #cancelled = new Set<string>();
  readonly #brake: Brake;
  #held = 0;
  readonly #kept: string[] = [];
  #keptLength = 0;
  #stream: EventWriter | undefined;
  #timer: NodeJS.Timeout;
  #diagnostics: NodeJS.Timeout | undefined;
  #over: UpstreamError | undefined;
  #ending: Promise<void> | undefined;

  constructor(contained: Contained, options: ServedOptions) {
    this.id = options.id;
    this.owner = options.owner;
    this.#options = options;
    this.#contained = contained;
    this.#timer = setTimeout(() => this.#end(), lease);
    this.#brake = {
      hold: () => void (this.#held++ === 0 && this.#connector.hold()),
      goOn: () => void (--this.#held === 0 && this.#connector.goOn()),
    };
    this.#connector = new StdioConnector(contained, {
      name: options.owner.server,
      maxResponseBytes: options.maxMessageBytes,
      sink: {
        onMessage: (message) => this.#unasked(textOf(message)),
        onClosed: (error) => this.#closed(error),
      },
      log: options.log,
      secrets: options.secrets,
      onDiagnostics: () => this.#tellDiagnosticsSoon(),
    });
  }

  get pid(): number | undefined {
    return this.#contained.child.pid;
  }

  get requests(): number {
    return this.#active.size;
  }

  /** The stream of what belongs to no request. There is one: a second reader is refused. */
  listen(res: ServerResponse): void {
    if (this.#over) return sendFailure(res, failureOf(this.#over));
    if (this.#stream) return sendFailure(res, { kind: 'busy', message: 'Somebody listens to it already.' });
    clearTimeout(this.#timer);
    const stream = new EventWriter(res, this.#brake);
    this.#stream = stream;
    this.#timer = setInterval(() => stream.comment('still here'), keepAlive);
    res.on('close', () => this.#end());
    stream.comment('listening');
    for (const text of this.#kept.splice(0)) stream.send(text);
  }

  /** Sends a request on and answers with whatever comes of it. Whoever closes the answer has cancelled. */
  async request(
    message: RpcRequest,
    { text, isStanding }: { readonly text: string; readonly isStanding: boolean },
    res: ServerResponse,
  ): Promise<void> {
    const gone = new AbortController();
    res.on('close', () => gone.abort(new Error('nobody waits for the answer')));
    const answer = new AnswerStream(res, this.#brake);
    const { rawId } = message;
    this.#active.add(rawId);
    try {
      const response = await this.#connector.request({
        ...{ rawId, text, isStanding, signal: gone.signal },
        onMessage: (before) => answer.before(textOf(before)),
      });
      answer.finish(responseText(rawId, response));
    } catch (error) {
      if (!gone.signal.aborted) answer.fail(failureOf(error));
      else if (!this.#cancelled.has(rawId)) this.#tellCancelled(rawId);
    } finally {
      this.#active.delete(rawId);
      this.#cancelled.delete(rawId);
    }
  }

  /** Sends a notification, or the answer to a request of the server. */
  async tell(message: RpcNotification | RpcResponse, text: string): Promise<void> {
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      const rawId = JSON.stringify(message.params?.['requestId']);
      // Told already, when its answer was closed.
      if (!this.#active.has(rawId)) return;
      this.#cancelled.add(rawId);
    }
    await this.#connector.send(text);
  }

  /** Ends it; resolves when nothing of it is left. */
  close(): Promise<void> {
    this.#over ??= new UpstreamError('closed', `The server "${this.owner.server}" was ended.`);
    this.#ending ??= this.#finish();
    return this.#ending;
  }

  async #finish(): Promise<void> {
    clearTimeout(this.#timer);
    clearTimeout(this.#diagnostics);
    this.#stream?.end();
    await this.#connector.close();
    await this.#contained.cleared;
    await this.#options.onEnded();
  }

  #end(): void {
    this.close().catch((error: unknown) =>
      this.#options.log.warn({ err: error, server: this.owner.server }, 'a process did not end cleanly'),
    );
  }

  #unasked(text: string): void {
    if (this.#stream) return this.#stream.send(text);
    if (this.#keptLength + text.length > mostKept) return;
    this.#keptLength += text.length;
    this.#kept.push(text);
  }

  #closed(error: UpstreamError): void {
    if (this.#over) return;
    this.#tellDiagnostics();
    this.#stream?.send(JSON.stringify(failureOf(error)), eventNames.closed);
    const { log, owner } = this.#options;
    log.info({ server: owner.server, process: this.id, why: error.message }, 'a process ended');
    this.#over = error;
    this.#end();
  }

  #tellCancelled(rawId: string): void {
    const params = `{"requestId":${rawId},"reason":"Nobody waits for the answer"}`;
    this.#connector
      .send(notificationText('notifications/cancelled', params))
      .catch((error: unknown) => this.#options.log.debug({ err: error }, 'cancellation was not delivered'));
  }

  #tellDiagnosticsSoon(): void {
    this.#diagnostics ??= setTimeout(() => this.#tellDiagnostics(), diagnosticsEvery);
  }

  #tellDiagnostics(): void {
    clearTimeout(this.#diagnostics);
    this.#diagnostics = undefined;
    const text = this.#connector.diagnostics();
    if (text !== '') this.#stream?.send(JSON.stringify({ text }), eventNames.diagnostics);
  }
}

function textOf(message: Exclude<RpcMessage, RpcResponse>): string {
  const { method, rawParams } = message;
  return message.kind === 'request'
    ? requestText(message.rawId, method, rawParams)
    : notificationText(method, rawParams);
}

/** What the gate learns of it. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof UpstreamError)) return { kind: 'closed', message: 'The server gave no answer.' };
  const { data: kind = 'closed' } = failure.shape.failure.shape.kind.safeParse(error.kind);
  return { kind, message: error.message };
}
