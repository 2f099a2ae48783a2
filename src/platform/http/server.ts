import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Log } from '../log.ts';
import { tellRefused } from './answered.ts';
import { isAmong, type Origin, originReader } from './client-address.ts';
import { answerClientError } from './client-error.ts';
import { Connections } from './connections.ts';
import type { OriginGuard } from './origin-guard.ts';
import { unfit } from './request-check.ts';
import { securityHeaders } from './security-headers.ts';
import { answerToUpgrade, wantsSocket } from './upgrade.ts';

/** What is known of a request before anybody looks into it. */
export interface Arrival extends Origin {
  readonly requestId: string;
  /** Path without the query, still percent-encoded. */
  readonly path: string;
  readonly turn: Turn;
}

/** A request's place among those of its address. */
export interface Turn {
  /** Set by a part that counts the request together with other limits. What is not counted when served is counted then. */
  isCounted: boolean;
  /** Headers for the answer, whoever gives it; none once the answer has begun. */
  tell(headers: Readonly<Record<string, string>>): void;
}

/** A part of the program that serves some of the paths. */
export interface Mount {
  takes(path: string): boolean;
  serve(req: IncomingMessage, res: ServerResponse, arrival: Arrival): Promise<void> | void;
  /** WebSocket handshakes are served too, by `takeSocket`; elsewhere a request that asks for one is like any other. */
  readonly hasSockets?: boolean;
  /** How long a client may take to send all of a request, in milliseconds, where it is longer than usual. */
  readonly requestMs?: number;
  /** It counts requests against their address itself, where it can. */
  readonly countsRequests?: boolean;
  /** Its pages are another program's, which has its own rules for browsers. */
  readonly isForeign?: boolean;
  /** The program is about to stop: says goodbye on what would stay open by itself, such as streams and sockets. */
  leave?(): void;
  /** It does so when no request is under way any more: what it keeps open says how those of others go on. May be told twice. */
  readonly leavesLast?: boolean;
  /** Time is up: answers what is under way as well as it can. */
  giveUp?(): void;
}

/** A server and what is open on it. */
export interface HttpServer extends Server {
  readonly open: Connections;
}

export interface HttpOptions {
  readonly mounts: readonly Mount[];
  readonly guard: OriginGuard;
  /** Seconds to wait when this address has asked too often, else 0; `authorization` is the header of the request. */
  readonly limit: (clientIp: string, authorization: string | undefined) => number;
  /** Counts a request; seconds to wait when there was no room for it, else 0. Absent: nothing is counted. */
  readonly count?: (clientIp: string, authorization: string | undefined) => Promise<number> | number;
  /** What a refusal says of the limit besides. */
  readonly limitHeaders?: (seconds: number) => Readonly<Record<string, string>>;
  /** Addresses and ranges of the proxies that are believed about who came to them. */
  readonly trustedProxies?: readonly string[];
  /** People reach this program by https. */
  readonly isSecure?: boolean;
  /** Connections of one address that have said nothing yet, where it is not the usual number. */
  readonly mostSilent?: number;
  /** Connections of one address, but for trusted proxies; absent: any number. */
  readonly mostOpen?: () => number;
  readonly log: Log;
}

const usualRequestMs = 60_000;
const requestIdPattern = /^[A-Za-z0-9_.-]{1,64}$/;

/** One HTTP server for all parts. Nothing that a mount throws reaches the client. */
export function createHttpServer(options: HttpOptions): HttpServer {
  const server = createServer({
    // A request must be complete in time (slowloris); how long the answer takes is the part's own affair.
    requestTimeout: Math.max(usualRequestMs, ...options.mounts.map(({ requestMs = 0 }) => requestMs)),
    headersTimeout: 20_000,
    connectionsCheckingInterval: 5_000,
    keepAliveTimeout: 65_000,
    maxHeaderSize: 64 * 1024,
    // Whatever flags Node was started with: what proxies in front read in another way is refused.
    insecureHTTPParser: false,
    // Told in request-check.ts, after which nothing more is taken on the connection.
    requireHostHeader: false,
    noDelay: true,
    shouldUpgradeCallback: (req) =>
      wantsSocket(req) && options.mounts.find((one) => one.takes(pathOf(req)))?.hasSockets === true,
  });
  const open = new Connections(server, {
    silent: options.mostSilent,
    open: options.mostOpen,
    isShared: isAmong(options.trustedProxies ?? []),
  });
  const serving: Serving = {
    ...{ ...options, open },
    originOf: originReader(options.trustedProxies ?? []),
    headers: securityHeaders(options.isSecure ?? false),
  };
  server.on('request', (req, res) => {
    if (open.isOver(req.socket)) return;
    const failed = (error: unknown) => {
      options.log.error({ err: error, path: req.url?.split('?')[0] }, 'request failed');
      if (res.headersSent) res.destroy();
      else refuse(res, 500, 'internal_error', 'Something went wrong here.');
    };
    try {
      serve(serving, req, res)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  });
  server.on('upgrade', (req, socket, head) => {
    // The connection cannot be handed over while others wait on it for their answers.
    if (open.isAnswering(req.socket)) return open.cut(req.socket);
    try {
      server.emit('request', req, answerToUpgrade(req, socket, head));
    } catch (error) {
      options.log.error({ err: error, path: pathOf(req) }, 'handshake failed');
      open.cut(req.socket);
    }
  });
  // Node leaves out what is beyond, and with it the headers that are counted here.
  server.maxHeadersCount = 0;
  server.on('clientError', (error, socket) => {
    const isSocket = socket instanceof Socket;
    if (isSocket) answerClientError(error, socket, open.mayBeTold(socket));
    else socket.destroy();
  });
  return Object.assign(server, { open });
}

interface Serving extends HttpOptions {
  readonly open: Connections;
  readonly originOf: (req: IncomingMessage) => Origin;
  readonly headers: ReturnType<typeof securityHeaders>;
}

function serve(options: Serving, req: IncomingMessage, res: ServerResponse): Promise<void> | void {
  const path = pathOf(req);
  const mount = options.mounts.find((one) => one.takes(path));
  const given = req.headers['x-request-id'];
  const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
  if (mount?.isForeign) options.headers.protectForeign(res);
  else options.headers.protect(res);
  res.setHeader('x-request-id', requestId);
  const odd = unfit(req, path);
  if (odd) {
    // Where the request ends is not sure, so nothing that follows on its connection is believed.
    options.open.last(res);
    return refuse(res, odd.status, odd.code, odd.message);
  }
  const verdict = options.guard.check(req.headers.host, req.headers.origin);
  if (!verdict.ok) return refuse(res, 403, 'origin_not_allowed', verdict.message);
  for (const [name, value] of verdict.headers) res.setHeader(name, value);
  if (req.method === 'OPTIONS' && verdict.headers.length > 0) return void res.writeHead(204).end();
  if (verdict.isForeign) forgetCookies(req);
  return letIn(options, { req, res, mount, requestId, path });
}

function letIn(options: Serving, o: Omit<LetIn, 'origin'>): Promise<void> | void {
  const { req, res, mount } = o;
  const origin = options.originOf(req);
  const { clientIp } = origin;
  const { authorization } = req.headers;
  const refusedFor = (seconds: number) => {
    if (seconds === 0) return false;
    turnOf(res).tell({ 'retry-after': String(seconds), ...options.limitHeaders?.(seconds) });
    refuse(res, 429, 'rate_limited', `Too many requests from this address: try again in ${seconds} s.`);
    return true;
  };
  if (refusedFor(options.limit(clientIp, authorization))) return undefined;
  if (mount?.countsRequests === true) return serveCounted(options, { ...o, mount, origin });
  const go = () => pass(options, { ...o, origin, turn: { ...turnOf(res), isCounted: true } });
  const wait = options.count?.(clientIp, authorization) ?? 0;
  if (typeof wait !== 'number') return wait.then((seconds) => (refusedFor(seconds) ? undefined : go()));
  return refusedFor(wait) ? undefined : go();
}

interface LetIn {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly mount: Mount | undefined;
  readonly origin: Origin;
  readonly requestId: string;
  readonly path: string;
}

/** What the part has not counted by the end is counted then. */
async function serveCounted(options: Serving, o: LetIn): Promise<void> {
  const turn = turnOf(o.res);
  try {
    await pass(options, { ...o, turn });
  } finally {
    if (!turn.isCounted) await options.count?.(o.origin.clientIp, o.req.headers.authorization);
  }
}

function pass(
  options: Serving,
  { req, res, mount, origin, requestId, path, turn }: LetIn & { readonly turn: Turn },
): Promise<void> | void {
  if (!mount) return refuse(res, 404, 'not_found', 'There is nothing at this address.');
  if (mount.requestMs === undefined && options.mounts.some(({ requestMs }) => requestMs !== undefined))
    giveUpAfter(usualRequestMs, req);
  return mount.serve(req, res, { ...origin, requestId, path, turn });
}

/** A page of another site was let in with what it sends itself, not as the person at the browser. */
function forgetCookies(req: IncomingMessage): void {
  delete req.headers.cookie;
  const { rawHeaders } = req;
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2)
    if (rawHeaders[at]?.toLowerCase() === 'cookie') rawHeaders.splice(at, 2);
}

function turnOf(res: ServerResponse): Turn {
  return {
    isCounted: false,
    tell(headers) {
      if (res.headersSent) return;
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    },
  };
}

/** Where one part lets clients take longer than usual, the server waits so long for all of them. */
function giveUpAfter(ms: number, req: IncomingMessage): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = req.headers;
  if (length === undefined && encoding === undefined) return;
  const timer = setTimeout(() => req.complete || req.destroy(), ms).unref();
  req.once('close', () => clearTimeout(timer));
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** An error in the shape of the API contract: `{"error":{"code","message","requestId"}}`. */
function refuse(res: ServerResponse, status: number, code: string, message: string): void {
  tellRefused(res, code);
  sendJson(res, status, { error: { code, message, requestId: res.getHeader('x-request-id') } });
}

/** Sends a JSON body. */
export function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
}
