import { randomUUID } from 'node:crypto';
import type { Principal } from '../../access/contract.ts';
import { AppError } from '../../platform/errors.ts';
import { type Call, type ClientSide, principalOf, requestOf } from '../call.ts';
import { negotiated } from '../operations/hello.ts';
import { runPipeline } from '../pipeline.ts';
import { Refusal } from '../refusal.ts';
import { notificationText, type RpcMessage, responseText, resultText } from '../rpc/message.ts';
import { WireError } from '../rpc/wire-error.ts';
import { responseForClient } from './client-ways.ts';
import { errorAnswer } from './error-answer.ts';
import type { FaceParts } from './face-parts.ts';
import { type Asking, askClient, capabilitiesIn, clientNameIn } from './legacy.ts';
import { newCall } from './new-call.ts';
import { comeBack, eventText, type Reply } from './reply.ts';
import type { Session } from './sessions.ts';
import { openStandalone } from './standalone.ts';
import { subscribe } from './subscribe.ts';

/** Calls of one stream that may be under way at once. */
const mostCalls = 100;

/** One message as the process that holds the stream gets it; whoever posted it has been authenticated. */
interface Posted {
  readonly principal: Principal;
  readonly message: RpcMessage;
  readonly bytes: number;
  readonly requestId: string;
  readonly clientIp: string;
  readonly userAgent: string | undefined;
}

/** One stream of the HTTP+SSE transport and the session that lives and dies with it. */
export class SseStream {
  readonly id = randomUUID();
  readonly principal: string;
  readonly #parts: FaceParts;
  /** The GET that opened the stream: by its credential the stream lives. */
  readonly #call: Call;
  readonly #url: string;
  readonly #reply: Reply;
  readonly #channel: Asking;
  readonly #running = new Set<AbortController>();
  #session: Session | null = null;
  #isLeaving = false;
  #leave: () => void;

  constructor(parts: FaceParts, { call, url, reply }: { call: Call; url: string; reply: Reply }) {
    this.#parts = parts;
    this.#call = call;
    this.#url = url;
    this.#reply = reply;
    this.principal = principalOf(call).id;
    this.#channel = { node: parts.gate.bus.node, send: (text) => reply.write(eventText(text)) };
    // Nothing is told before the client has introduced itself, but its credential counts from the start.
    this.#leave = subscribe(call, parts.gate, {
      session: null,
      kinds: new Set(),
      uris: new Set(),
      notify: () => undefined,
      end: () => reply.end(),
      leave: () => this.#goWhenDone(),
    });
    reply.onOver(parts.streams.keepAlive(reply));
    reply.onOver(() => this.#over());
  }

  get isBusy(): boolean {
    return this.#running.size >= mostCalls;
  }

  /** Takes a message; what there is to say about it is said on the stream. Never rejects. */
  async take(posted: Posted): Promise<void> {
    const call = this.#callFor(posted);
    this.#running.add(call.controller);
    try {
      await runPipeline(call, this.#parts.gate);
      this.#answer(call);
    } catch (error) {
      this.#fail(error, call);
    } finally {
      this.#running.delete(call.controller);
      this.#forget(call);
      if (this.#isLeaving) this.#goWhenDone();
    }
  }

  #callFor({ principal, message, bytes, requestId, clientIp, userAgent }: Posted): Call {
    const headers = {
      ...(userAgent !== undefined && { 'user-agent': userAgent }),
      ...(this.#session && { 'mcp-protocol-version': this.#session.protocolVersion }),
    };
    const call: Call = newCall(this.#parts.gate, {
      ...{ face: 'sse', requestId, clientIp, path: this.#call.path },
      // Another process may have checked who posts, and hands no token over: the one that opened the stream stands in.
      subjectToken: () => this.#call.subjectToken(),
      // How the stream was opened says which tools are shown on it.
      req: { headers, method: 'POST', url: this.#url },
      proof: () => principal,
      client: this.#clientSide(() => call.controller.signal),
      readMessage: () => {
        call.message = message;
        call.bytesIn = bytes;
        this.#useSession(call, message);
      },
    });
    return call;
  }

  #clientSide(signalOf: () => AbortSignal): ClientSide {
    return {
      notify: (message) => this.#channel.send(notificationText(message.method, message.rawParams)),
      ask: (request) => {
        if (this.#session) return askClient(this.#session, this.#channel, request, signalOf());
        return Promise.resolve({
          rawError: '{"code":-32601,"message":"This client cannot be asked: it has not introduced itself"}',
        });
      },
    };
  }

  #useSession(call: Call, message: RpcMessage): void {
    if (message.kind === 'request' && message.method === 'initialize') {
      call.capabilities = capabilitiesIn(message.params);
      call.clientName = clientNameIn(message.params?.['clientInfo']);
      return;
    }
    const session = this.#session;
    if (!session) return;
    call.session = session.name;
    call.capabilities = session.capabilities;
    call.clientName = session.clientName;
    call.logLevel = session.logLevel;
    if (message.kind === 'request') session.calls.set(message.rawId, call.controller);
  }

  #answer(call: Call): void {
    const { message } = call;
    if (message?.kind === 'notification' || message?.kind === 'response') {
      if (this.#session) this.#parts.relay.sessions.hear(this.#session, message);
      return;
    }
    if (this.#reply.isOver) return;
    const { method, rawId } = requestOf(call);
    const response = responseForClient(call);
    if (response === undefined) throw new Error('forward left no response');
    // Before the answer: the client may speak as soon as it has read it.
    if (method === 'initialize') this.#begin(call);
    else if (this.#session) this.#parts.relay.sessions.remember(this.#session, call);
    this.#channel.send(
      response.kind === 'local' ? resultText(rawId, response.rawResult) : responseText(rawId, response),
    );
  }

  /** A client that introduces itself again begins again. */
  #begin(call: Call): void {
    const { gate, sessions, streams, relay } = this.#parts;
    const before = this.#session;
    if (before) {
      before.endStream = undefined;
      relay.sessions.end(before);
    }
    const session = sessions.create({
      principal: this.principal,
      protocolVersion: negotiated(requestOf(call).params),
      capabilities: call.capabilities,
      clientName: call.clientName,
    });
    this.#session = session;
    this.#call.session = session.name;
    this.#call.capabilities = session.capabilities;
    this.#leave();
    this.#leave = () => undefined;
    const leave = () => this.#goWhenDone();
    openStandalone(this.#call, gate, { reply: this.#reply, session, streams, leave });
  }

  /** The process is about to stop: calls under way are answered on this stream, which then ends. */
  #goWhenDone(): void {
    this.#isLeaving = true;
    if (this.#running.size > 0) return;
    this.#reply.write(comeBack());
    this.#reply.end();
  }

  /** Where errors of a message become answers; one that has no answer gets none. */
  #fail(error: unknown, call: Call): void {
    const isForCaller = error instanceof WireError || error instanceof Refusal || error instanceof AppError;
    if (call.message?.kind !== 'request' || (!isForCaller && call.controller.signal.aborted)) return;
    this.#channel.send(errorAnswer(error, call).text);
  }

  #forget({ message, controller }: Call): void {
    if (!this.#session || message?.kind !== 'request') return;
    const { calls } = this.#session;
    if (calls.get(message.rawId) === controller) calls.delete(message.rawId);
  }

  #over(): void {
    this.#leave();
    for (const controller of this.#running) controller.abort(new Error('the client is gone'));
    if (this.#session) this.#parts.relay.sessions.end(this.#session);
  }
}
