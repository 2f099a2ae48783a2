// The HTTP+SSE transport of 2024-11-05 for clients that know no other: one stream for everything that is said to the
// client, and a URL that it posts to, whose answers come on the stream.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../access/contract.ts';
import { NoAnswer } from '../../platform/bus/contract.ts';
import { type Call, principalOf } from '../call.ts';
import { runPipeline } from '../pipeline.ts';
import { count, nullOr, text, topicOf } from '../relay/topic.ts';
import { isObject, parseMessage } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import { WireError } from '../rpc/wire-error.ts';
import { authenticate } from '../steps/authenticate.ts';
import { recordCall } from '../steps/record-call.ts';
import { errorAnswer } from './error-answer.ts';
import type { Arrival, FaceParts } from './face-parts.ts';
import { newCall } from './new-call.ts';
import { Reply } from './reply.ts';
import { readBody } from './request-body.ts';
import { SseStream } from './sse-stream.ts';
import { notAMessage } from './wire-answers.ts';

const mostStreams = 10_000;
const mostPerPrincipal = 100;
/** How long another process may take to accept a message, in milliseconds. */
const handOverTimeout = 10_000;
const longestSession = 4_000;
/** Messages that other processes handed over lately, by which one that comes again is known. */
const mostRemembered = 100_000;

/** What the URL to post to says; sealed. */
interface Place {
  readonly node: string;
  readonly stream: string;
  readonly principal: string;
  /** Path of the stream: a URL for one server is good for that server alone. */
  readonly path: string;
}

/**
 * A message for a stream of the process that is asked. The sender has authenticated whoever posted it; a bus message
 * is sealed with a key that only processes of this installation have.
 */
const posted = topicOf('sse.message', {
  /** Of the message: one that arrives twice is taken once. */
  id: text,
  stream: text,
  principal: (value: unknown) => (isPrincipal(value) ? value : undefined),
  text,
  bytes: count,
  requestId: text,
  clientIp: text,
  userAgent: nullOr(text),
});
type Handed = NonNullable<ReturnType<typeof posted.read>>;

/** What became of a message: taken, or a status and a body for whoever posted it. */
interface Taken {
  readonly status: number;
  readonly text: string;
}

export class SseFace {
  readonly #parts: FaceParts;
  readonly #sealer;
  readonly #streams = new Map<string, SseStream>();
  readonly #taken = new LRUCache<string, Taken>({ max: mostRemembered });
  readonly #stop: () => void;

  constructor(parts: FaceParts) {
    this.#parts = parts;
    this.#sealer = parts.gate.sealerFor('sse-session');
    this.#stop = parts.gate.bus.answer(posted.name, (value) => {
      const handed = posted.read(value);
      if (!handed) throw new Error('a message for a stream has another shape');
      const before = this.#taken.get(handed.id);
      if (before) return before;
      const taken = this.#take(handed);
      this.#taken.set(handed.id, taken);
      return taken;
    });
  }

  /** Never rejects. */
  async serve(req: IncomingMessage, res: ServerResponse, arrival: Arrival): Promise<void> {
    const reply = new Reply(res);
    const sealed = new URLSearchParams(req.url?.split('?')[1]).get('session');
    // A client that tries the newer transport first is told to fall back.
    if (req.method !== 'GET' && (req.method !== 'POST' || sealed === null)) {
      req.resume();
      return reply.notAllowed(sealed === null ? 'GET' : 'GET, POST');
    }
    const { gate } = this.#parts;
    const call = newCall(gate, { face: 'sse', req, ...arrival });
    try {
      if (req.method === 'GET') await this.#open(call, req.url ?? '', reply);
      else await this.#post(call, { req, reply, sealed: sealed ?? '' });
    } catch (error) {
      // An unread body would make the next request on this connection unreadable.
      if (!req.complete) req.resume();
      const { status, text: body, headers } = errorAnswer(error, call);
      reply.json(status, body, headers);
    }
  }

  close(): void {
    this.#stop();
  }

  async #open(call: Call, url: string, reply: Reply): Promise<void> {
    await runPipeline(call, this.#parts.gate);
    if (reply.isOver) return;
    this.#requireRoom(principalOf(call).id);
    const stream = new SseStream(this.#parts, { call, url, reply });
    this.#streams.set(stream.id, stream);
    reply.onOver(() => this.#streams.delete(stream.id));
    reply.stream();
    reply.write(`event: endpoint\ndata: ${this.#postUrl(call, stream)}\n\n`);
  }

  #requireRoom(principal: string): void {
    if (this.#streams.size >= mostStreams)
      throw new WireError(
        503,
        rpcCode.internal,
        'The gate has as many streams open as it may have: try again later.',
      );
    const own = [...this.#streams.values()].filter((stream) => stream.principal === principal).length;
    if (own >= mostPerPrincipal)
      throw new WireError(
        429,
        rpcCode.invalidRequest,
        `You have ${own} streams open: close some of them first.`,
      );
  }

  /** A path: clients put it behind the scheme and host that they dialled. */
  #postUrl({ path }: Call, { id, principal }: SseStream): string {
    const place: Place = { node: this.#parts.gate.bus.node, stream: id, principal, path: path.raw };
    return `${path.raw}?session=${this.#sealer.seal(JSON.stringify(place))}`;
  }

  /** The process that holds the stream makes a call of the message, so only a refusal is recorded here. */
  async #post(call: Call, o: { req: IncomingMessage; reply: Reply; sealed: string }): Promise<void> {
    const { gate } = this.#parts;
    const taken = await this.#pass(call, o).catch((error: unknown) => {
      recordCall(call, gate, error);
      throw error;
    });
    if (taken.status === 202) return o.reply.empty(202);
    recordCall(call, gate, new WireError(taken.status, rpcCode.invalidRequest, 'refused there'));
    return o.reply.json(taken.status, taken.text);
  }

  async #pass(call: Call, o: { req: IncomingMessage; sealed: string }): Promise<Taken> {
    const { gate } = this.#parts;
    await authenticate(call, gate);
    const principal = principalOf(call);
    const body = await readBody(o.req, gate.settings.maxBodyBytes('sse'));
    const place = this.#placeOf(o.sealed);
    if (!place || place.principal !== principal.id || place.path !== call.path.raw) throw streamLost();
    const { requestId, clientIp } = call;
    const userAgent = call.header('user-agent') ?? null;
    const handed: Handed = {
      ...{ id: randomUUID(), stream: place.stream, principal, requestId, clientIp, userAgent },
      ...{ text: body.toString('utf8'), bytes: body.length },
    };
    return place.node === gate.bus.node ? this.#take(handed) : this.#handOver(place.node, handed);
  }

  #placeOf(sealed: string): Place | undefined {
    const opened = sealed.length > longestSession ? undefined : this.#sealer.open(sealed);
    return opened === undefined ? undefined : (JSON.parse(opened) as Place); // sealed by #postUrl alone
  }

  async #handOver(node: string, handed: Handed): Promise<Taken> {
    try {
      const taken = await this.#parts.gate.bus.ask(node, posted.name, handed, handOverTimeout);
      if (isObject(taken) && typeof taken['status'] === 'number')
        return { status: taken['status'], text: String(taken['text']) };
    } catch (error) {
      // The stream went with its process, and the client has seen it end.
      if (!(error instanceof NoAnswer)) throw error;
    }
    throw streamLost();
  }

  #take({ stream: id, principal, text: body, bytes, requestId, clientIp, userAgent }: Handed): Taken {
    const stream = this.#streams.get(id);
    if (stream?.principal !== principal.id) return refused(streamLost());
    const parsed = parseMessage(body);
    if (!parsed.ok) return refused(notAMessage(parsed.code));
    if (stream.isBusy) return refused(tooManyCalls());
    const from = { requestId, clientIp, userAgent: userAgent ?? undefined };
    void stream.take({ principal, message: parsed.message, bytes, ...from });
    return { status: 202, text: '' };
  }
}

function refused({ status, code, message }: WireError): Taken {
  return { status, text: JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }) };
}

/** The same whether it never was, is over, or is somebody else's. */
function streamLost(): WireError {
  return new WireError(404, rpcCode.invalidRequest, 'There is no such stream any more: open it again.');
}

function tooManyCalls(): WireError {
  return new WireError(
    429,
    rpcCode.invalidRequest,
    'Too many calls of this client are under way: wait for some.',
  );
}

function isPrincipal(value: unknown): value is Principal {
  if (!isObject(value)) return false;
  const { kind, id, assertedGroups, assertedBy, tokenTenant, authSource, credentialId } = value;
  const isTextOrNull = (one: unknown) => one === null || typeof one === 'string';
  return (
    (kind === 'user' || kind === 'service') &&
    [id, authSource, credentialId].every((one) => typeof one === 'string') &&
    [assertedBy, tokenTenant].every(isTextOrNull) &&
    Array.isArray(assertedGroups) &&
    assertedGroups.every((one) => typeof one === 'string')
  );
}
