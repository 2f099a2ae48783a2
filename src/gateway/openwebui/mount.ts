// Open WebUI behind the gate: everything that is not the gate's own goes there.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access } from '../../access/index.ts';
import { isLoopbackName } from '../../platform/http/form.ts';
import type { Arrival, Mount } from '../../platform/http/server.ts';
import { isUpgrade } from '../../platform/http/upgrade.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { newCall } from '../faces/new-call.ts';
import { spanOf } from '../observe/call-span.ts';
import { runPipeline } from '../pipeline.ts';
import { answerTrouble } from './answer-trouble.ts';
import { OpenExchanges } from './open-exchanges.ts';
import { isAsset, isCostly, isOpenWebUis, templateOf } from './paths.ts';
import { goesInCircles, socketNeedsSession, socketWithBody } from './refusals.ts';
import { type Ended, type Exchange, hasBodyOf, relayHttp } from './relay-http.ts';
import { relaySocket } from './relay-socket.ts';
import { framing, requestHeaders } from './request-headers.ts';
import { type Shown, shownCredential } from './shown-credential.ts';
import { Upstream, type UpstreamTimes } from './upstream.ts';
import { recognise, type Visitors } from './visitor.ts';

/** A client may take so long to upload a file, in milliseconds. */
const uploadMs = 60 * 60_000;

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
  readonly times?: Partial<UpstreamTimes> | undefined;
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
  const open = new OpenExchanges();
  const front = new URL(o.publicUrl);
  const stop = o.live.onChange((snapshot) => open.recheck(snapshot));
  return {
    takes: isOpenWebUis,
    hasSockets: true,
    isForeign: true,
    countsRequests: true,
    requestMs: uploadMs,
    async serve(req, res, arrival) {
      try {
        await new Visit(o, { upstream, open, front, req, res, arrival }).run();
      } catch (error) {
        answerTrouble(error, { req, res, requestId: arrival.requestId });
      }
    },
    awaySince: () => upstream.awaySince(),
    sockets: () => open.sockets,
    leave: () => open.leave(),
    close() {
      stop();
      open.close();
      upstream.close();
    },
  };
}

interface Visited {
  readonly upstream: Upstream;
  /** PUBLIC_URL. */
  readonly front: URL;
  readonly open: OpenExchanges;
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
    const { req, res, upstream, open, arrival } = this.#at;
    const dropped = this.#o.dropped();
    if (isUpgrade(req)) return this.#relaySocket(call, dropped);
    const release = open.reserveAnswer({ person: call.principal?.id, address: arrival.clientIp });
    const headers = [...this.#headers(call, dropped), ...framing(req)];
    const end = () => void res.destroy();
    const done = call.principal ? open.hold(call.principal.id, end) : () => undefined;
    try {
      note(call, await relayHttp({ req, res, upstream, headers, dropped }));
    } finally {
      done();
      release();
    }
  }

  async #relaySocket(call: Call, dropped: readonly string[]): Promise<void> {
    const { req, res, upstream, open } = this.#at;
    if (!call.principal) throw socketNeedsSession();
    if (hasBodyOf(req)) throw socketWithBody();
    const headers = [...this.#headers(call, dropped), 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
    const release = open.reserveSocket(principalOf(call).id);
    let opened: Awaited<ReturnType<typeof relaySocket>>;
    try {
      opened = await relaySocket({ req, res, upstream, headers, dropped } satisfies Exchange);
    } catch (error) {
      release();
      throw error;
    }
    if (!opened.isOpen) {
      release();
      return note(call, opened.ended);
    }
    call.status = 101;
    const done = open.holdSocket(call.principal.id, opened.end);
    void opened.closed.then(() => {
      done();
      release();
    });
    // Disabled while the handshake was under way.
    open.recheck(this.#o.gate.snapshot());
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
