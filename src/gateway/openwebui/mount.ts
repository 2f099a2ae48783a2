// Open WebUI behind the gate: everything that is not the gate's own goes there.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Access, rightsOf } from '../../access/index.ts';
import { isLoopbackName } from '../../platform/http/form.ts';
import type { Arrival, Mount } from '../../platform/http/server.ts';
import { isUpgrade } from '../../platform/http/upgrade.ts';
import { networkOf } from '../../platform/net-address.ts';
import type { Call, Gate } from '../call.ts';
import { newCall } from '../faces/new-call.ts';
import { spanOf } from '../observe/call-span.ts';
import { runPipeline } from '../pipeline.ts';
import { userDisabled } from '../refusals.ts';
import { answerTrouble } from './answer-trouble.ts';
import { OpenAnswers } from './open-answers.ts';
import { isAsset, isCostly, isOpenWebUis, isSignOut, isSocketIo, templateOf } from './paths.ts';
import { goesInCircles, socketNeedsSession, socketWithBody } from './refusals.ts';
import { type Ended, type Exchange, hasBodyOf, relayHttp } from './relay-http.ts';
import { relaySocket } from './relay-socket.ts';
import { framing, requestHeaders } from './request-headers.ts';
import { type Shown, shownCredential } from './shown-credential.ts';
import { type Judged, OpenSockets } from './sockets/open-sockets.ts';
import { Upstream, type UpstreamTimes } from './upstream.ts';
import { recognise, type Visitors } from './visitor.ts';

/** How often the sessions of open sockets are looked at: an answer counts for a minute, so little later one that ended is known. */
const socketCheckMs = 5_000;
/** A client may take so long to upload a file, in milliseconds. */
const uploadMs = 60 * 60_000;
/** Somebody without a session may take so long to say all of a request: there is nothing large for them to send. */
const strangerMs = 60_000;

export interface OpenWebUiOptions {
  readonly gate: Gate;
  readonly live: Access['live'];
  readonly visitors: Visitors;
  readonly url: string;
  readonly publicUrl: string;
  /** How this installation names itself in `Via`. */
  readonly via: string;
  /** Further names of headers that no client may send; read with each request. */
  readonly dropped: () => readonly string[];
  readonly times?: Partial<UpstreamTimes & { socketCheckMs: number; strangerMs: number }> | undefined;
}

export interface OpenWebUiMount extends Mount {
  /** Since when Open WebUI cannot be reached, for /gateway/ready. */
  awaySince(): Promise<Date | null>;
  /** WebSockets that are open. */
  sockets(): number;
  close(): void;
}

export function openWebUiMount(o: OpenWebUiOptions): OpenWebUiMount {
  const upstream = new Upstream({ url: o.url, log: o.gate.log, clock: o.gate.clock, times: o.times });
  const answers = new OpenAnswers();
  const sockets = new OpenSockets({
    judge: (token, clientIp) => judge(o, token, clientIp),
    checkMs: o.times?.socketCheckMs ?? socketCheckMs,
  });
  const front = new URL(o.publicUrl);
  const stop = o.live.onChange((snapshot) => {
    answers.recheck(snapshot);
    sockets.recheck(snapshot);
  });
  return {
    takes: isOpenWebUis,
    hasSockets: true,
    isForeign: true,
    countsRequests: true,
    requestMs: uploadMs,
    async serve(req, res, arrival) {
      try {
        await new Visit(o, { upstream, answers, sockets, front, req, res, arrival }).run();
      } catch (error) {
        answerTrouble(error, { req, res, requestId: arrival.requestId });
      }
    },
    awaySince: () => upstream.awaySince(),
    sockets: () => sockets.count,
    // What Open WebUI writes while it answers comes through them.
    leavesLast: true,
    leave: () => sockets.leave(),
    close() {
      stop();
      answers.close();
      sockets.close();
      upstream.close();
    },
  };
}

/** Whose a token is that was named on a socket, judged as the token of a request is. */
async function judge({ visitors, gate }: OpenWebUiOptions, token: string, clientIp: string): Promise<Judged> {
  const visitor = await visitors.visitorOf(token, clientIp);
  if (!visitor) return 'stranger';
  const { principal } = visitor;
  return rightsOf(gate.snapshot(), principal, gate.clock()).disabled ? 'disabled' : { person: principal.id };
}

interface Visited {
  readonly upstream: Upstream;
  /** PUBLIC_URL. */
  readonly front: URL;
  readonly answers: OpenAnswers;
  readonly sockets: OpenSockets;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly arrival: Arrival;
}

/** One request to Open WebUI. */
class Visit {
  readonly #o: OpenWebUiOptions;
  readonly #at: Visited;
  readonly #shown: Shown;
  #identity: readonly string[] = [];

  constructor(o: OpenWebUiOptions, at: Visited) {
    this.#o = o;
    this.#at = at;
    this.#shown = shownCredential(at.req);
  }

  async run(): Promise<void> {
    const { req, res, arrival } = this.#at;
    const { gate } = this.#o;
    const path = { tenant: null, server: null, group: null };
    const call = newCall(gate, {
      ...{ face: 'webui', req, requestId: arrival.requestId, clientIp: arrival.clientIp, turn: arrival.turn },
      path: { ...path, template: templateOf(arrival.path), raw: arrival.path },
      passing: {
        identify: (found) => this.#identify(found),
        isCostly: isCostly(req.method ?? ''),
        relay: (found) => this.#relay(found),
      },
    });
    res.once('close', () => {
      if (!res.writableFinished) call.controller.abort();
    });
    await runPipeline(call, gate);
  }

  async #identify(call: Call): Promise<void> {
    const { req, arrival } = this.#at;
    const { gate, visitors, via } = this.#o;
    const { method = '' } = req;
    if ((req.headers.via ?? '').includes(via)) throw goesInCircles();
    if (isAsset(method, arrival.path)) return;
    this.#identity = await recognise(call, gate, { visitors, token: this.#shown.token });
  }

  async #relay(call: Call): Promise<void> {
    const { req, res, upstream, answers, sockets, arrival } = this.#at;
    const dropped = this.#o.dropped();
    if (isUpgrade(req)) return this.#relaySocket(call, dropped);
    // Open WebUI without WebSockets: what is said in a body is not read here.
    if (isSocketIo(arrival.path) && !call.principal) throw socketNeedsSession();
    const network = networkOf(arrival.clientIp);
    const isReading = !isCostly(req.method ?? '') && !hasBodyOf(req);
    const release = answers.reserve({ person: call.principal?.id, network, isReading });
    const headers = [...this.#headers(call, dropped), ...framing(req)];
    const end = () => void res.destroy();
    const done = call.principal
      ? answers.hold(call.principal.id, end)
      : endUnlessSaid(req, end, this.#o.times?.strangerMs ?? strangerMs);
    try {
      // Disabled since the request was judged: answers are looked at only when the picture changes.
      if (isDisabled(this.#o.gate, call)) throw userDisabled();
      note(call, await relayHttp({ req, res, upstream, headers, dropped }));
    } finally {
      done();
      release();
    }
    const { token } = this.#shown;
    if (token === undefined || !isSignOut(arrival.path)) return;
    this.#o.visitors.forget(token);
    void sockets.checkToken(token);
  }

  async #relaySocket(call: Call, dropped: readonly string[]): Promise<void> {
    const { req, res, upstream, sockets, arrival } = this.#at;
    const isHeard = isSocketIo(arrival.path);
    if (!call.principal && !isHeard) throw socketNeedsSession();
    if (hasBodyOf(req)) throw socketWithBody();
    const { token } = this.#shown;
    const shown = call.principal && token !== undefined ? { token, person: call.principal.id } : undefined;
    const { clientIp } = arrival;
    const socket = sockets.open({ clientIp, network: networkOf(clientIp), shown });
    // Compressed, it could not be read.
    const passed = this.#headers(call, [...dropped, 'sec-websocket-extensions']);
    const headers = [...passed, 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
    const exchange: Exchange = { req, res, upstream, headers, dropped };
    const opened = await relaySocket(exchange, isHeard ? socket : undefined).catch((error: unknown) => {
      socket.release();
      throw error;
    });
    if (!opened.isOpen) {
      socket.release();
      return note(call, opened.ended);
    }
    call.status = 101;
    socket.attach(opened.end);
    void opened.closed.then(() => socket.release());
    // Disabled while the handshake was under way.
    socket.recheck(this.#o.gate.snapshot());
  }

  #headers(call: Call, dropped: readonly string[]): string[] {
    const { req, arrival, front } = this.#at;
    const { via, gate } = this.#o;
    const { requestId, clientIp } = arrival;
    // Two parents would be one too many: with a span of the gate, the client's own is left out.
    const trace = spanOf(call, gate)?.headers ?? {};
    const isTraced = 'traceparent' in trace;
    const { host, protocol } = front;
    return requestHeaders(req, {
      ...{ requestId, clientIp, via, shown: this.#shown },
      dropped: isTraced ? [...dropped, 'traceparent', 'tracestate'] : dropped,
      identity: [...this.#identity, ...Object.entries(trace).flat()],
      host: hostFor(req.headers.host, host),
      protocol: protocol === 'https:' ? 'https' : 'http',
    });
  }
}

function isDisabled(gate: Gate, { principal }: Call): boolean {
  return principal !== undefined && rightsOf(gate.snapshot(), principal, gate.clock()).disabled;
}

/** Ends a request of which not all has come by then. Returns what forgets it. */
function endUnlessSaid(req: IncomingMessage, end: () => void, ms: number): () => void {
  const timer = setTimeout(() => req.complete || end(), ms).unref();
  return () => clearTimeout(timer);
}

/** The public name, whatever was asked for: links and redirects are made of it. This machine has several names. */
function hostFor(asked: string | undefined, host: string): string {
  const isLoopback = (name: string) => isLoopbackName(URL.parse(`http://${name}`)?.hostname ?? '');
  return asked !== undefined && isLoopback(asked) && isLoopback(host) ? asked : host;
}

const outcomes: Readonly<Record<number, Call['outcome']>> = {
  401: 'unauthenticated',
  403: 'denied',
  429: 'rate_limited',
};

/** What Open WebUI said, for the record: the status is all that is known of it. */
function note(call: Call, { status, bytesIn, bytesOut, how }: Ended): void {
  call.status = status;
  call.bytesIn = bytesIn;
  call.bytesOut = bytesOut;
  if (how === 'complete' && status < 400) return;
  call.outcome = how === 'client-left' ? 'cancelled' : (outcomes[status] ?? 'bad_request');
  if (how === 'broken-off' || (how === 'complete' && status >= 500)) call.outcome = 'upstream_error';
  call.reason = { 'client-left': 'client_gone', 'broken-off': 'broken_off', complete: `status_${status}` }[
    how
  ];
}
