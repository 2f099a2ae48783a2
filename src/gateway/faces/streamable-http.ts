import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call, ClientSide } from '../call.ts';
import { runPipeline } from '../pipeline.ts';
import { isModernVersion } from '../rpc/protocol.ts';
import { parseEventId } from './call-stream.ts';
import { errorAnswer } from './error-answer.ts';
import type { Arrival, FaceParts } from './face-parts.ts';
import { servePost } from './message-exchange.ts';
import { newCall } from './new-call.ts';
import { Reply } from './reply.ts';
import { sessionOf } from './session-of.ts';
import type { Session } from './sessions.ts';
import { openStandalone } from './standalone.ts';
import { watch } from './subscribe.ts';

/** Streamable HTTP of both eras on one URL (basic/transports/streamable-http.mdx). Never rejects. */
export function serveStreamableHttp(
  parts: FaceParts,
  req: IncomingMessage,
  res: ServerResponse,
  arrival: Arrival,
): Promise<void> | void {
  const reply = new Reply(res);
  if (req.method === 'POST') return servePost(parts, { req, reply, arrival });
  if (req.method !== 'GET' && req.method !== 'DELETE') return reply.notAllowed('POST, GET, DELETE');
  const request = new SessionRequest(parts, { req, reply, arrival });
  const served = req.method === 'GET' ? request.get() : request.delete();
  return served.catch((error: unknown) => request.fail(error));
}

/** A request about a session of the legacy era, without a message. */
class SessionRequest {
  readonly #parts: FaceParts;
  readonly #req: IncomingMessage;
  readonly #reply: Reply;
  readonly #call: Call;
  #session: Session | null = null;

  constructor(
    parts: FaceParts,
    { req, reply, arrival }: { req: IncomingMessage; reply: Reply; arrival: Arrival },
  ) {
    this.#parts = parts;
    this.#req = req;
    this.#reply = reply;
    const { requestId, clientIp, path, turn } = arrival;
    const readMessage = (call: Call) => {
      this.#session = sessionOf(call, parts.sessions);
      if (!this.#session) {
        [call.outcome, call.status, call.reason] = ['bad_request', 405, 'method_not_allowed'];
        return;
      }
      call.session = this.#session.name;
      call.capabilities = this.#session.capabilities;
    };
    const client: ClientSide = {
      notify: () => undefined,
      // What the session follows is followed from here while its stream is.
      hold: (target) => {
        if (this.#session) parts.relay.sessions.hold(this.#session, target);
      },
    };
    const as = { face: 'stream', req, requestId, clientIp, path, turn } as const;
    this.#call = newCall(parts.gate, { ...as, client, readMessage });
  }

  /** The standalone stream, or the rest of a stream that was lost. */
  async get(): Promise<void> {
    const reply = this.#reply;
    if (isModernVersion(this.#call.header('mcp-protocol-version') ?? '')) return reply.notAllowed('POST');
    const { gate, streams, relay } = this.#parts;
    await runPipeline(this.#call, gate);
    const session = this.#session;
    if (!session) return reply.empty(405, { allow: 'POST' });
    // Who is gone by now is not heard of again.
    if (reply.isOver) return;
    const last = parseEventId(this.#call.header('last-event-id') ?? '');
    if (!last) {
      relay.sessions.listens(session);
      return openStandalone(this.#call, gate, { reply, session, streams });
    }
    const lost = session.streams.get(last.stream);
    const leave = () => void lost?.leave(reply, gate.clock());
    reply.onOver(
      watch(this.#call, gate, () => {
        leave();
        reply.end();
      }),
    );
    if (lost) {
      reply.onGone(leave);
      return lost.resume(reply, last.seq);
    }
    reply.onOver(streams.keepAlive(reply));
    return relay.streams.follow(reply, session, last);
  }

  async delete(): Promise<void> {
    await runPipeline(this.#call, this.#parts.gate);
    if (!this.#session) return this.#reply.empty(405, { allow: 'POST, GET' });
    this.#parts.relay.sessions.end(this.#session);
    return this.#reply.empty(204);
  }

  fail(error: unknown): void {
    if (!this.#req.complete) this.#req.resume();
    const { status, text, headers } = errorAnswer(error, this.#call);
    this.#reply.json(status, text, headers);
  }
}
