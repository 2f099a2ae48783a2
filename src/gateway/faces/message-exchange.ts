import type { IncomingMessage } from 'node:http';
import { AppError } from '../../platform/errors.ts';
import { type Call, type ClientSide, principalOf, requestOf } from '../call.ts';
import { negotiated } from '../operations/hello.ts';
import { runPipeline } from '../pipeline.ts';
import { Refusal } from '../refusal.ts';
import { requestedLevel } from '../rpc/log-level.ts';
import { notificationText, parseMessage, type RawId } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import { elementsOf, skipSpace } from '../rpc/raw.ts';
import { WireError } from '../rpc/wire-error.ts';
import { type AnswerBody, answerBody } from './answer-body.ts';
import { CallStream } from './call-stream.ts';
import { classify, declaredIn, statedName } from './classify.ts';
import { responseForClient } from './client-ways.ts';
import { errorAnswer } from './error-answer.ts';
import type { Arrival, FaceParts } from './face-parts.ts';
import { askClient, capabilitiesIn, clientNameIn } from './legacy.ts';
import { openListen } from './listen.ts';
import { newCall } from './new-call.ts';
import type { Reply } from './reply.ts';
import { readBody } from './request-body.ts';
import { sessionOf } from './session-of.ts';
import type { Session } from './sessions.ts';
import { watch } from './subscribe.ts';
import { OwnVoice, SharedVoice, type Voice } from './voice.ts';
import { modernStatus, notAMessage } from './wire-answers.ts';

/** One HTTP request with messages in its body. */
export interface Post {
  readonly req: IncomingMessage;
  readonly reply: Reply;
  readonly arrival: Arrival;
}

/** The one revision that knows batches. */
const batchVersion = '2025-03-26';
const longestBatch = 50;

/** A POST: one message or, in one revision, a batch of them. Never rejects. */
export function servePost(parts: FaceParts, post: Post): Promise<void> {
  const exchange = new MessageExchange(parts, post, { voice: new OwnVoice(post.reply), text: undefined });
  post.reply.onGone(() => exchange.gone());
  return exchange.run();
}

/** One message and everything that is said in answer to it. */
class MessageExchange {
  readonly #parts: FaceParts;
  readonly #post: Post;
  readonly #call: Call;
  /** The message, when it is one of a batch that has been read already. */
  readonly #text: string | undefined;
  #voice: Voice;
  #session: Session | null = null;
  /** The other messages of the batch that this one is the first of. */
  #others: readonly MessageExchange[] = [];
  #running: Promise<unknown> | undefined;

  constructor(parts: FaceParts, post: Post, { voice, text }: { voice: Voice; text: string | undefined }) {
    this.#parts = parts;
    this.#post = post;
    this.#voice = voice;
    this.#text = text;
    this.#call = this.#newCall();
  }

  async run(): Promise<void> {
    try {
      try {
        await runPipeline(this.#call, this.#parts.gate);
      } finally {
        this.#forget();
      }
      const pending = this.#finish();
      if (pending) await pending;
    } catch (error) {
      this.#fail(error);
    }
    if (this.#running) await this.#running;
  }

  /** Nobody reads the answer any more; a legacy client may come back for it. */
  gone(): void {
    for (const other of this.#others) other.gone();
    if (this.#voice.stream?.leave(this.#post.reply, this.#parts.gate.clock())) return;
    this.#call.controller.abort(new Error('the client is gone'));
  }

  #newCall(): Call {
    const { req, arrival } = this.#post;
    const { requestId, clientIp, path, turn } = arrival;
    const client = this.#clientSide();
    const readMessage = (call: Call) => this.#read(call);
    const as = { face: 'stream', req, requestId, clientIp, path, turn } as const;
    return newCall(this.#parts.gate, { ...as, client, readMessage });
  }

  #clientSide(): ClientSide {
    return {
      notify: (message) => this.#openStream().send(notificationText(message.method, message.rawParams)),
      ask: (request) => {
        const session = this.#session;
        if (!session)
          return Promise.resolve({
            rawError: '{"code":-32601,"message":"This client cannot be asked: it has no session"}',
          });
        return askClient(session, this.#openStream(), request, this.#call.controller.signal);
      },
      hold: (target) => {
        if (this.#session) this.#parts.relay.sessions.hold(this.#session, target);
      },
      onPrimed: () => this.#openStream().begin(),
      onPaused: () => this.#openStream().pause(),
    };
  }

  async #read(call: Call): Promise<void> {
    const text = this.#text ?? this.#share(call, await this.#body(call));
    const parsed = parseMessage(text);
    if (!parsed.ok) throw notAMessage(parsed.code);
    call.message = parsed.message;
    call.era = classify(parsed.message, call.header);
    // The modern era has no batches, and what it opens would take the whole answer for itself.
    if (call.era === 'modern' && this.#voice instanceof SharedVoice) throw notAMessage('batch');
    if (call.era === 'modern') this.#readModern(call);
    else this.#useSession(call);
  }

  #body(call: Call): Promise<Buffer> {
    if (!/^application\/json\b/i.test(call.header('content-type') ?? ''))
      throw new WireError(415, rpcCode.invalidRequest, 'Content-Type must be application/json.');
    return readBody(this.#post.req, this.#parts.gate.settings.maxBodyBytes('stream'));
  }

  /**
   * The first message of a batch, or the body as it is. The others go their own way at the same time, each through
   * the whole pipeline.
   */
  #share(call: Call, bytes: Buffer): string {
    call.bytesIn = bytes.length;
    const body = bytes.toString('utf8');
    if (body[skipSpace(body, 0)] !== '[') return body;
    const version = sessionOf(call, this.#parts.sessions)?.protocolVersion;
    if ((version ?? call.header('mcp-protocol-version')) !== batchVersion) return body;
    if (!Array.isArray(jsonIn(body))) throw notAMessage('parse');
    const [first, ...rest] = elementsOf(body, skipSpace(body, 0)).map(({ start, end }) =>
      body.slice(start, end),
    );
    if (first === undefined) throw notAMessage('shape');
    if (rest.length >= longestBatch)
      throw new WireError(
        400,
        rpcCode.invalidRequest,
        `Invalid request: a batch has at most ${longestBatch} messages.`,
      );
    const voice = new SharedVoice(this.#post.reply, rest.length + 1);
    this.#voice = voice;
    this.#others = rest.map((text) => new MessageExchange(this.#parts, this.#post, { voice, text }));
    this.#running = Promise.all(this.#others.map((other) => other.run()));
    return first;
  }

  #readModern(call: Call): void {
    call.capabilities = declaredIn(call.message);
    call.clientName = statedName(call.message);
    if (call.message?.kind === 'request') call.logLevel = requestedLevel(call.message.params);
    const params: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.#post.req.headers)) {
      if (name.startsWith('mcp-param-') && typeof value === 'string') params[name] = value;
    }
    if (Object.keys(params).length > 0) call.paramHeaders = params;
  }

  #useSession(call: Call): void {
    const { message } = call;
    if (message?.kind === 'request' && message.method === 'initialize') {
      // 2025-03-26 basic/lifecycle.mdx: a session begins alone.
      if (this.#voice instanceof SharedVoice) throw notAMessage('shape');
      call.capabilities = capabilitiesIn(message.params);
      call.clientName = clientNameIn(message.params?.['clientInfo']);
      return;
    }
    const session = sessionOf(call, this.#parts.sessions);
    this.#session = session;
    if (!session) return;
    call.session = session.name;
    call.capabilities = session.capabilities;
    call.clientName = session.clientName;
    call.logLevel = session.logLevel;
    if (message?.kind === 'request') session.calls.set(message.rawId, call.controller);
  }

  /** The stream of this answer, made when something has to be said before the result. */
  #openStream(): CallStream {
    return this.#voice.open((reply) => {
      const { gate, streams } = this.#parts;
      const session = this.#session;
      const resumable = session !== null && session.protocolVersion >= '2025-11-25';
      const { rawId } = requestOf(this.#call);
      const stream = new CallStream(reply, { node: gate.bus.node, rawId, resumable });
      const { controller } = this.#call;
      streams.add(stream, { controller, session: resumable ? session : null });
      const leave = watch(this.#call, gate, () => {
        reply.end();
        controller.abort(new Error('the credential no longer counts'));
      });
      reply.onOver(leave);
      return stream;
    });
  }

  #forget(): void {
    const { message } = this.#call;
    if (!this.#session || message?.kind !== 'request') return;
    const { calls } = this.#session;
    // A client that used one id for two requests has lost the first; the second is still under way.
    if (calls.get(message.rawId) === this.#call.controller) calls.delete(message.rawId);
  }

  #finish(): Promise<void> | void {
    const call = this.#call;
    const { message } = call;
    const { gate, streams, relay } = this.#parts;
    if (message?.kind === 'notification' || message?.kind === 'response') {
      if (this.#session) relay.sessions.hear(this.#session, message);
      return this.#voice.saveBreath(202);
    }
    const { method, rawId } = requestOf(call);
    if (method === 'subscriptions/listen')
      return openListen(call, gate, { reply: this.#post.reply, rawId, streams });
    if (this.#session) relay.sessions.remember(this.#session, call);
    return this.#answer(rawId);
  }

  #answer(rawId: RawId): void {
    const call = this.#call;
    const response = responseForClient(call);
    if (response === undefined) throw new Error('forward left no response');
    const status =
      response.kind === 'response' && call.era === 'modern'
        ? modernStatus(response.error?.code, requestOf(call).method)
        : 200;
    this.#say(status, answerBody(rawId, response), this.#sessionHeaders());
  }

  #sessionHeaders(): Record<string, string> {
    const { message, audience } = this.#call;
    if (message?.kind !== 'request' || message.method !== 'initialize') return {};
    // With a session it would open a stream for every message of a chat.
    if (audience === 'open-webui') return {};
    const session = this.#parts.sessions.create({
      principal: principalOf(this.#call).id,
      protocolVersion: negotiated(message.params),
      capabilities: this.#call.capabilities,
      clientName: this.#call.clientName,
    });
    return { 'mcp-session-id': session.id };
  }

  /** Where errors of a message become answers. */
  #fail(error: unknown): void {
    const { req } = this.#post;
    // An unread body would make the next request on this connection unreadable.
    if (!req.complete) req.resume();
    const call = this.#call;
    const isForCaller = error instanceof WireError || error instanceof Refusal || error instanceof AppError;
    // Nobody waits for the answer any more: the client cancelled, or is gone.
    if (!isForCaller && call.controller.signal.aborted) return this.#voice.saveBreath(204);
    // A batch has no place for the refusal of something that has no answer.
    if (this.#voice instanceof SharedVoice && hasNoAnswer(call)) return this.#voice.saveBreath();
    const { status, text, headers } = errorAnswer(error, call);
    return this.#say(status, text, headers);
  }

  #say(status: number, body: AnswerBody, headers: Readonly<Record<string, string>>): void {
    // A legacy client that names the stream before JSON gets one, which it can come back to.
    const prefersStream = this.#call.header('accept')?.trimStart().startsWith('text/event-stream') === true;
    if (this.#session && status === 200 && prefersStream) this.#openStream();
    this.#voice.say(status, body, headers);
  }
}

function hasNoAnswer({ message }: Call): boolean {
  return message?.kind === 'notification' || message?.kind === 'response';
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The caller says what that means.
  }
}
