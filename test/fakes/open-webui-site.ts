// What stands behind the gate in place of Open WebUI: it writes down what it is sent, byte for byte, and answers in all the
// ways that an answer can take.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { messagesOf, serverFrame } from '../web-socket.ts';

/** A request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly isHandshake: boolean;
  bytes: number;
  sha256: string;
  rawTrailers: readonly string[];
  isComplete: boolean;
  /** The connection was closed before the answer was complete. */
  wasLeft: boolean;
}

export interface Site {
  readonly origin: string;
  readonly port: number;
  readonly arrived: Arrived[];
  /** Answers under way at `/stream`, `/hold` and `/unread`, oldest first. */
  readonly held: ServerResponse[];
  readonly requests: IncomingMessage[];
  /** Sockets that were opened; each says hello, and repeats every text message. */
  readonly sockets: Socket[];
  /** Text messages that arrived. */
  readonly heard: string[];
  /** Further headers of a handshake that is accepted. */
  agreed: string;
  /** Answers before any of the routes; true: it has. */
  before: ((req: IncomingMessage, res: ServerResponse) => boolean) | undefined;
  /** What a handshake is answered with instead of being accepted. */
  refuseSocket: string | undefined;
  /** The last request to a path that begins so. */
  last(path: string): Arrived;
  close(): Promise<void>;
}

export async function startSite(port = 0): Promise<Site> {
  const server = createServer((req, res) => {
    const entry = enter(site, req, res, false);
    site.requests.push(req);
    if (site.before?.(req, res)) return;
    const path = (req.url ?? '').split('?')[0] ?? '';
    const [route] = [...Object.keys(routes)].filter((prefix) => path.startsWith(prefix));
    (routes[route ?? ''] ?? echo)(req, res, { site, entry });
  });
  server.on('upgrade', (req, socket: Socket, head: Buffer) => {
    enter(site, req, undefined, true);
    if (site.refuseSocket !== undefined) return void socket.end(site.refuseSocket);
    site.sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n');
    socket.write(`Sec-WebSocket-Accept: yes\r\nSet-Cookie: toolgate_session=planted\r\n${site.agreed}\r\n`);
    socket.write(serverFrame('hello'));
    const hear = messagesOf((text) => {
      site.heard.push(text);
      socket.write(serverFrame(text));
    });
    hear(head);
    socket.on('data', hear);
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const { port: own } = server.address() as AddressInfo; // a TCP server has no other kind
  const site: Site = {
    ...{ origin: `http://127.0.0.1:${own}`, port: own, arrived: [], held: [], requests: [], sockets: [] },
    ...{ before: undefined, refuseSocket: undefined, heard: [], agreed: '' },
    last(path) {
      const found = site.arrived.findLast(({ url }) => url.startsWith(path));
      if (!found) throw new Error(`nothing arrived at ${path}`);
      return found;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      for (const socket of site.sockets) socket.destroy();
      await closed;
    },
  };
  return site;
}

function enter(
  site: Site,
  req: IncomingMessage,
  res: ServerResponse | undefined,
  isHandshake: boolean,
): Arrived {
  const entry: Arrived = {
    ...{ method: req.method ?? '', url: req.url ?? '', rawHeaders: [...req.rawHeaders], isHandshake },
    ...{ bytes: 0, sha256: '', rawTrailers: [], isComplete: false, wasLeft: false },
  };
  site.arrived.push(entry);
  res?.once('close', () => {
    entry.wasLeft = !res.writableFinished;
  });
  return entry;
}

interface At {
  readonly site: Site;
  readonly entry: Arrived;
}

type Route = (req: IncomingMessage, res: ServerResponse, at: At) => void;

/** Reads the whole request, then says what it was. */
const echo: Route = (req, res, { entry }) => {
  read(req, entry, () => {
    const body = JSON.stringify({
      method: entry.method,
      url: entry.url,
      bytes: entry.bytes,
      sha256: entry.sha256,
    });
    res.writeHead(200, [
      ...['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body))],
      ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Set-Cookie', '__Host-toolgate_session=planted'],
      ...['Access-Control-Allow-Origin', '*', 'Access-Control-Allow-Credentials', 'true'],
      ...[
        'Connection',
        'X-Inner',
        'X-Inner',
        'between the two',
        'X-Kept',
        'yes',
        'X-Gateway-Signature',
        'back',
      ],
    ]);
    res.end(req.method === 'HEAD' ? undefined : body);
  });
};

function read(req: IncomingMessage, entry: Arrived, then: () => void): void {
  const hash = createHash('sha256');
  req.on('data', (part: Buffer) => {
    entry.bytes += part.length;
    hash.update(part);
  });
  req.on('error', () => undefined);
  req.on('end', () => {
    entry.sha256 = hash.digest('hex');
    entry.rawTrailers = [...req.rawTrailers];
    entry.isComplete = true;
    then();
  });
}

const routes: Readonly<Record<string, Route>> = {
  '/stream': (_req, res, { site }) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    site.held.push(res);
  },
  '/hold': (_req, res, { site }) => void site.held.push(res),
  '/unread': (req, res, { site }) => {
    req.pause();
    site.held.push(res);
  },
  '/early': (req, res) => {
    const body = 'too large';
    res.writeHead(413, { 'content-type': 'text/plain', 'content-length': body.length });
    res.end(body);
    req.resume().on('error', () => undefined);
  },
  '/break': (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain' });
    res.write('part', () => setImmediate(() => res.destroy()));
  },
  '/short': (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain', 'content-length': '100' });
    res.write('part', () => setImmediate(() => res.destroy()));
  },
  '/drop': (req) => void req.socket.destroy(),
  '/trailers': (_req, res) => {
    res.writeHead(200, { trailer: 'X-Sum' });
    res.write('body');
    res.addTrailers({ 'X-Sum': '42', 'X-Gateway-Signature': 'back' });
    res.end();
  },
  '/not-modified': (_req, res) => void res.writeHead(304, { etag: '"1"' }).end(),
  '/no-content': (_req, res) => void res.writeHead(204).end(),
  '/file': (req, res) => {
    const [, from = '0', to = '9'] = /bytes=(\d+)-(\d+)/.exec(req.headers.range ?? '') ?? [];
    const body = '0123456789'.slice(Number(from), Number(to) + 1);
    res.writeHead(req.headers.range ? 206 : 200, {
      ...{ 'accept-ranges': 'bytes', 'content-length': body.length },
      ...(req.headers.range && { 'content-range': `bytes ${from}-${to}/10` }),
    });
    res.end(body);
  },
  '/endless': (_req, res) => {
    res.writeHead(200, { 'content-type': 'application/octet-stream' });
    const chunk = Buffer.alloc(64 * 1024);
    const more = () => {
      while (!res.destroyed && res.write(chunk));
    };
    res.on('drain', more);
    more();
  },
};
