import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../log.ts';
import type { OriginGuard } from './origin-guard.ts';

/** What is known of a request before anybody looks into it. */
export interface Arrival {
  readonly requestId: string;
  readonly clientIp: string;
  /** Path without the query, still percent-encoded. */
  readonly path: string;
}

/** A part of the program that serves some of the paths. */
export interface Mount {
  takes(path: string): boolean;
  serve(req: IncomingMessage, res: ServerResponse, arrival: Arrival): Promise<void> | void;
}

export interface HttpOptions {
  readonly mounts: readonly Mount[];
  readonly guard: OriginGuard;
  /** Seconds to wait when this address has asked too often, else 0; `authorization` is the header of the request. */
  readonly limit: (clientIp: string, authorization: string | undefined) => number;
  readonly log: Log;
}

const requestIdPattern = /^[A-Za-z0-9_.-]{1,64}$/;

/** One HTTP server for all parts. Nothing that a mount throws reaches the client. */
export function createHttpServer(options: HttpOptions): Server {
  const server = createServer({
    // A request must be complete in time (slowloris); how long the answer takes is the part's own affair.
    requestTimeout: 60_000,
    headersTimeout: 20_000,
    keepAliveTimeout: 65_000,
    maxHeaderSize: 64 * 1024,
    noDelay: true,
  });
  server.on('request', (req, res) => {
    const failed = (error: unknown) => {
      options.log.error({ err: error, path: req.url?.split('?')[0] }, 'request failed');
      if (res.headersSent) res.destroy();
      else refuse(res, 500, 'internal_error', 'Something went wrong here.');
    };
    try {
      serve(options, req, res)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  return server;
}

function serve(options: HttpOptions, req: IncomingMessage, res: ServerResponse): Promise<void> | void {
  const url = req.url ?? '/';
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  const given = req.headers['x-request-id'];
  const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
  const clientIp = req.socket.remoteAddress ?? '';
  res.setHeader('x-request-id', requestId);
  const verdict = options.guard.check(req.headers.host, req.headers.origin);
  if (!verdict.ok) return refuse(res, 403, 'origin_not_allowed', verdict.message);
  for (const [name, value] of verdict.headers) res.setHeader(name, value);
  if (req.method === 'OPTIONS' && verdict.headers.length > 0) return void res.writeHead(204).end();
  const wait = options.limit(clientIp, req.headers.authorization);
  if (wait > 0) {
    res.setHeader('retry-after', String(wait));
    return refuse(res, 429, 'rate_limited', `Too many requests from this address: try again in ${wait} s.`);
  }
  const mount = options.mounts.find((one) => one.takes(path));
  if (!mount) return refuse(res, 404, 'not_found', 'There is nothing at this address.');
  return mount.serve(req, res, { requestId, clientIp, path });
}

/** An error in the shape of the API contract: `{"error":{"code","message","requestId"}}`. */
function refuse(res: ServerResponse, status: number, code: string, message: string): void {
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
