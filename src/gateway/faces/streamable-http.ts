import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../platform/errors.ts';
import { type Call, type CallPath, type Gate, principalOf, requestOf } from '../call.ts';
import { negotiated } from '../operations/hello.ts';
import { runPipeline } from '../pipeline.ts';
import { Refusal } from '../refusal.ts';
import { notificationText, parseMessage, type RawId, responseText, resultText } from '../rpc/message.ts';
import { isModernVersion, rpcCode } from '../rpc/protocol.ts';
import { WireError } from '../rpc/wire-error.ts';
import { CallStream, parseEventId } from './call-stream.ts';
import { classify } from './classify.ts';
import {
  askClient,
  capabilitiesIn,
  deliverAnswer,
  rememberSubscription,
  sessionOf,
  takeNotification,
} from './legacy.ts';
import { errorAnswer } from './error-answer.ts';
import { openListen } from './listen.ts';
import { newCall } from './new-call.ts';
import { Reply } from './reply.ts';
import { readBody } from './request-body.ts';
import type { Session, Sessions } from './sessions.ts';
import { openStandalone } from './standalone.ts';
import type { OpenStreams } from './open-streams.ts';

/** What the HTTP server knows of a request before the pipeline looks at it. */
export interface Arrival {
  readonly requestId: string;
  readonly clientIp: string;
  readonly path: CallPath;
}

export interface FaceParts {
  readonly gate: Gate;
  readonly sessions: Sessions;
  readonly streams: OpenStreams;
}

/** Streamable HTTP of both eras on one URL (basic/transports/streamable-http.mdx). Never rejects. */
export async function serveStreamableHttp(
  parts: FaceParts,
  req: IncomingMessage,
  res: ServerResponse,
  arrival: Arrival,
): Promise<void> {
  const exchange = new HttpExchange(parts, req, res, arrival);
  try {
    if (req.method === 'POST') await exchange.post();
    else if (req.method === 'GET') await exchange.get();
    else if (req.method === 'DELETE') await exchange.delete();
    else exchange.reply.empty(405, { allow: 'POST, GET, DELETE' });
  } catch (error) {
    exchange.fail(error);
  }
}

/** One HTTP request and everything that is said in answer to it. */
class HttpExchange {
  readonly reply: Reply;
  readonly #parts: FaceParts;
  readonly #req: IncomingMessage;
  readonly #call: Call;
  #stream: CallStream | undefined;
  #session: Session | null = null;

  constructor(parts: FaceParts, req: IncomingMessage, res: ServerResponse, arrival: Arrival) {
    this.#parts = parts;
    this.#req = req;
    this.reply = new Reply(res);
    this.#call = this.#newCall(arrival);
  }

  async post(): Promise<void> {
    const call = this.#call;
    this.reply.onGone(() => this.#gone());
    try {
      await runPipeline(call, this.#parts.gate);
    } finally {
      this.#forget();
    }
    const { message } = call;
    if (message?.kind === 'notification' || message?.kind === 'response') return this.reply.empty(202);
    const request = requestOf(call);
    const { gate, streams } = this.#parts;
    if (request.method === 'subscriptions/listen')
      return openListen(call, gate, { reply: this.reply, rawId: request.rawId, streams });
    if (this.#session) rememberSubscription(this.#session, call);
    return this.#answer(request.rawId);
  }

  /** The standalone stream of the legacy era, or the rest of a stream that was lost. */
  async get(): Promise<void> {
    if (isModernVersion(this.#header('mcp-protocol-version') ?? ''))
      return this.reply.empty(405, { allow: 'POST' });
    await runPipeline(this.#call, this.#parts.gate);
    const session = this.#session;
    if (!session) return this.reply.empty(405, { allow: 'POST' });
    const last = parseEventId(this.#header('last-event-id') ?? '');
    const lost = last && session.streams.get(last.stream);
    if (last && lost) {
      this.reply.onGone(() => lost.leave(this.reply, this.#parts.gate.clock()));
      return lost.resume(this.reply, last.seq);
    }
    return openStandalone(this.#call, this.#parts.gate, {
      reply: this.reply,
      session,
      streams: this.#parts.streams,
    });
  }

  async delete(): Promise<void> {
    await runPipeline(this.#call, this.#parts.gate);
    const session = this.#session;
    if (!session) return this.reply.empty(405, { allow: 'POST, GET' });
    this.#parts.sessions.end(session);
    this.#parts.gate.pool.endSession(session.name);
    return this.reply.empty(204);
  }

  /** The one place where errors of this face become answers. */
  fail(error: unknown): void {
    // An unread body would make the next request on this connection unreadable.
    if (!this.#req.complete) this.#req.resume();
    const call = this.#call;
    const isForCaller = error instanceof WireError || error instanceof Refusal || error instanceof AppError;
    if (!isForCaller && call.controller.signal.aborted) return this.#abandon();
    const { status, text, headers } = errorAnswer(error, call);
    this.#say(status, text, headers);
  }

  /** Nobody waits for the answer any more: the client cancelled, or is gone. */
  #abandon(): void {
    if (this.#stream) this.#stream.abandon();
    else this.reply.empty(204);
  }

  #newCall({ requestId, clientIp, path }: Arrival): Call {
    const { gate } = this.#parts;
    return newCall(gate, {
      face: 'stream',
      req: this.#req,
      requestId,
      clientIp,
      path,
      readMessage: (call) => this.#read(call),
      client: {
        notify: (message) => this.#openStream().send(notificationText(message.method, message.rawParams)),
        ask: (request) => {
          const session = this.#session;
          if (!session)
            return Promise.resolve({
              rawError: '{"code":-32601,"message":"This client cannot be asked: it has no session"}',
            });
          return askClient(session, this.#openStream(), request, this.#call.controller.signal);
        },
        onPrimed: () => this.#openStream().begin(),
        onPaused: () => this.#openStream().pause(),
      },
    });
  }

  #header(name: string): string | undefined {
    const value = this.#req.headers[name];
    return typeof value === 'string' ? value : undefined;
  }

  async #read(call: Call): Promise<void> {
    if (this.#req.method !== 'POST') return this.#useSession(call);
    const type = this.#header('content-type') ?? '';
    if (!/^application\/json\b/i.test(type))
      throw new WireError(415, rpcCode.invalidRequest, 'Content-Type must be application/json.');
    const body = await readBody(this.#req, this.#parts.gate.settings.maxBodyBytes);
    call.bytesIn = body.length;
    const parsed = parseMessage(body.toString('utf8'));
    if (!parsed.ok) throw notAMessage(parsed.code);
    call.message = parsed.message;
    call.era = classify(parsed.message, call.header);
    if (call.era === 'modern') this.#readModern(call);
    else this.#useSession(call);
    return undefined;
  }

  #readModern(call: Call): void {
    const params: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.#req.headers)) {
      if (name.startsWith('mcp-param-') && typeof value === 'string') params[name] = value;
    }
    if (Object.keys(params).length > 0) call.paramHeaders = params;
  }

  #useSession(call: Call): void {
    const { message } = call;
    if (message?.kind === 'request' && message.method === 'initialize') {
      call.capabilities = capabilitiesIn(message.params);
      return;
    }
    const session = sessionOf(this.#parts.sessions, this.#header('mcp-session-id'), principalOf(call).id);
    if (session === 'gone')
      throw new WireError(404, rpcCode.invalidRequest, 'Session not found: initialize again.');
    this.#session = session;
    if (!session) return;
    call.session = session.name;
    call.capabilities = session.capabilities;
    if (message?.kind === 'request') session.calls.set(message.rawId, call.controller);
    if (message?.kind === 'notification') takeNotification(session, message);
    if (message?.kind === 'response') deliverAnswer(session, message);
  }

  /** The stream of this answer, made when something has to be said before the result. */
  #openStream(): CallStream {
    if (this.#stream) return this.#stream;
    const session = this.#session;
    const resumable = session !== null && session.protocolVersion >= '2025-11-25';
    const stream = new CallStream(this.reply, { resumable, headers: {} });
    this.#stream = stream;
    this.#parts.streams.add(stream, {
      controller: this.#call.controller,
      session: resumable ? session : null,
    });
    return stream;
  }

  #gone(): void {
    const { gate } = this.#parts;
    if (this.#stream?.leave(this.reply, gate.clock())) return;
    this.#call.controller.abort(new Error('the client is gone'));
  }

  #forget(): void {
    const { message } = this.#call;
    if (!this.#session || message?.kind !== 'request') return;
    const { calls } = this.#session;
    // A client that used one id for two requests has lost the first; the second is still under way.
    if (calls.get(message.rawId) === this.#call.controller) calls.delete(message.rawId);
  }

  #answer(rawId: RawId): void {
    const call = this.#call;
    const { response } = call;
    if (response === undefined) throw new Error('forward left no response');
    const text =
      response.kind === 'local' ? resultText(rawId, response.rawResult) : responseText(rawId, response);
    const status =
      response.kind === 'response' && call.era === 'modern' ? modernStatus(response.error?.code) : 200;
    this.#say(status, text, this.#sessionHeaders(call));
  }

  #sessionHeaders(call: Call): Record<string, string> {
    const { message } = call;
    if (message?.kind !== 'request' || message.method !== 'initialize') return {};
    const session = this.#parts.sessions.create({
      principal: principalOf(call).id,
      protocolVersion: negotiated(message.params),
      capabilities: call.capabilities,
    });
    return { 'mcp-session-id': session.id };
  }

  #say(status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
    // A legacy client that names the stream before JSON gets one, which it can come back to.
    if (this.#session && status === 200 && prefersStream(this.#header('accept'))) this.#openStream();
    if (this.#stream) this.#stream.finish(text);
    else this.reply.json(status, text, headers);
  }
}

function prefersStream(accept: string | undefined): boolean {
  return accept?.trimStart().startsWith('text/event-stream') === true;
}

function notAMessage(code: 'parse' | 'shape' | 'batch'): WireError {
  if (code === 'parse') return new WireError(400, rpcCode.parse, 'Parse error: the body is not JSON.');
  const what =
    code === 'batch'
      ? 'batches are not taken: send one message for each POST'
      : 'the body is not a JSON-RPC 2.0 message';
  return new WireError(400, rpcCode.invalidRequest, `Invalid request: ${what}.`);
}

/** Errors of the transport have their own status in the modern era; all others come with 200. */
function modernStatus(code: number | undefined): number {
  if (code === rpcCode.methodNotFound) return 404;
  return code === rpcCode.headerMismatch ||
    code === rpcCode.missingCapability ||
    code === rpcCode.unsupportedVersion
    ? 400
    : 200;
}
