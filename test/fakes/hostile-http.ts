import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FakeServer, legacyVersions } from './hostile/fake-server.ts';
import {
  bodyWire,
  closedEarly,
  eventOf,
  eventStreamHeaders,
  eventWire,
  type Options,
  readMessage,
  seenHeaders,
  withOptions,
} from './hostile/http-wire.ts';
import { type KindName, kindNamed } from './hostile/kinds.ts';
import { listenOnLoopback } from './loopback.ts';

/** Kinds that only an HTTP server can be. */
const bareKinds = {
  exits: (request) => void request.socket.resetAndDestroy(),
  'http-500': (_request, response) => void response.writeHead(500).end('Internal Server Error'),
  html: (_request, response) =>
    void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Please sign in</h1>'),
  // To another host: `localhost` instead of 127.0.0.1. `stats('redirect-target')` tells what came along.
  redirect: (request, response) => {
    const location = `http://localhost:${request.socket.localPort}/redirect-target`;
    response.writeHead(302, { Location: location }).end();
  },
} as const satisfies Record<string, (request: IncomingMessage, response: ServerResponse) => void>;

export type HttpKind = KindName | keyof typeof bareKinds | 'redirect-target';

/** What a kind has seen so far. */
export interface HostileStats {
  /** HTTP requests received. */
  readonly requests: number;
  /** How often each JSON-RPC method was received, notifications included. */
  readonly counts: Readonly<Record<string, number>>;
  /** Sessions that were opened and neither deleted nor expired. */
  readonly openSessions: number;
  readonly deletedSessions: number;
  /** GET streams that are open. */
  readonly openStreams: number;
  /** Requests whose client left before the answer was complete. */
  readonly abandoned: number;
  /** Headers of the last request, when the kind is served with one set of options. */
  readonly lastHeaders: Readonly<Record<string, string>>;
}

export interface HostileHttp {
  /** Where a kind is served. Options: `ms`, `bytes`, `on` (methods, comma-separated), `stream`; see the kinds. */
  url(kind: HttpKind, options?: Options): string;
  stats(kind: HttpKind): HostileStats;
  /** Forgets every session of a kind: requests that carry one get 404, as after a restart. */
  expireSessions(kind: HttpKind): void;
  close(): Promise<void>;
}

/** MCP servers over streamable HTTP that misbehave, one per path of one listener. Raw JSON-RPC, so that they can lie. */
export async function startHostileHttp(): Promise<HostileHttp> {
  const servers = new Map<string, HttpServer>();
  const serverAt = (name: string, options = new URLSearchParams()) => {
    const key = options.size === 0 ? name : `${name}?${options}`;
    const server = servers.get(key) ?? new HttpServer(name, options);
    servers.set(key, server);
    return server;
  };
  const sameKind = (kind: string) => [...servers.values()].filter((server) => server.name === kind);
  const loopback = await listenOnLoopback((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    serverAt(pathname.slice(1), searchParams).handle(request, response);
  });
  return {
    url: (kind, options) => withOptions(`${loopback.origin}/${kind}`, options),
    stats: (kind) => sumStats(sameKind(kind)),
    expireSessions: (kind) => {
      for (const server of sameKind(kind)) server.sessions.clear();
    },
    close: async () => {
      for (const server of servers.values()) server.mcp.close();
      await loopback.close();
    },
  };
}

class HttpServer {
  readonly name: string;
  readonly mcp: FakeServer;
  readonly sessions = new Set<string>();
  readonly streams = new Set<ServerResponse>();
  requests = 0;
  deletedSessions = 0;
  abandoned = 0;
  lastHeaders: Record<string, string> = {};

  constructor(name: string, options: URLSearchParams) {
    this.name = name;
    this.mcp = new FakeServer(name, {
      kind: kindNamed(name) ?? {},
      options,
      broadcast: (message) => {
        for (const stream of this.streams) stream.write(eventOf(JSON.stringify(message)));
      },
    });
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.requests += 1;
    this.lastHeaders = seenHeaders(request);
    const bare = Object.hasOwn(bareKinds, this.name)
      ? bareKinds[this.name as keyof typeof bareKinds]
      : undefined;
    if (bare) return bare(request, response);
    if (!kindNamed(this.name) && this.name !== 'redirect-target') return void response.writeHead(404).end();
    if (request.method === 'POST') {
      this.#post(request, response).catch((error: unknown) => {
        // A client that leaves aborts what was running for it.
        if (!response.destroyed) throw error;
      });
      return;
    }
    if (!this.mcp.kind.sessions) return void response.writeHead(405).end();
    const id = this.lastHeaders['mcp-session-id'];
    if (id === undefined || !this.sessions.has(id)) return void response.writeHead(404).end();
    if (request.method === 'GET') return this.#openStream(response);
    this.sessions.delete(id);
    this.deletedSessions += 1;
    response.writeHead(200).end();
  }

  #openStream(response: ServerResponse): void {
    response.writeHead(200, eventStreamHeaders).flushHeaders();
    this.streams.add(response);
    response.once('close', () => this.streams.delete(response));
  }

  async #post(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = seenHeaders(incoming);
    const { message, request } = await readMessage(incoming);
    const refused = this.#refusal(seen, message['method'] === 'initialize');
    if (refused) {
      const error = { code: -32000, message: refused.reason };
      const body = JSON.stringify({ jsonrpc: '2.0', id: message['id'] ?? null, error });
      response.writeHead(refused.status, { 'Content-Type': 'application/json' }).end(body);
      return;
    }
    if (!request) {
      this.mcp.take(message);
      response.writeHead(202).end();
      return;
    }
    if (this.mcp.kind.sessions && request.method === 'initialize') {
      const id = randomUUID();
      this.sessions.add(id);
      response.setHeader('Mcp-Session-Id', id);
    }
    const signal = closedEarly(response);
    signal.addEventListener('abort', () => {
      this.abandoned += 1;
    });
    if (this.mcp.kind.streams !== true && !this.mcp.options.has('stream')) {
      await this.mcp.answer(request, bodyWire(response, { seen, signal }));
      return;
    }
    response.writeHead(200, eventStreamHeaders).flushHeaders();
    await this.mcp.answer(request, eventWire(response, { seen, signal }));
    response.end();
  }

  /** A legacy server knows no modern version and, with sessions, wants one of its own. */
  #refusal(seen: Record<string, string>, opens: boolean): { status: number; reason: string } | undefined {
    const { modern, sessions } = this.mcp.kind;
    const version = seen['mcp-protocol-version'];
    if (!modern && version !== undefined && !legacyVersions.includes(version)) {
      return { status: 400, reason: `Bad Request: Unsupported protocol version: ${version}` };
    }
    if (!sessions || opens) return undefined;
    const id = seen['mcp-session-id'];
    if (id === undefined) return { status: 400, reason: 'Bad Request: Mcp-Session-Id header is required' };
    return this.sessions.has(id) ? undefined : { status: 404, reason: 'Session not found' };
  }
}

function sumStats(servers: readonly HttpServer[]): HostileStats {
  const sum = (count: (server: HttpServer) => number) =>
    servers.reduce((total, one) => total + count(one), 0);
  const counts: Record<string, number> = {};
  for (const [method, count] of servers.flatMap((server) => Object.entries(server.mcp.counts))) {
    counts[method] = (counts[method] ?? 0) + count;
  }
  return {
    requests: sum((server) => server.requests),
    counts,
    openSessions: sum((server) => server.sessions.size),
    deletedSessions: sum((server) => server.deletedSessions),
    openStreams: sum((server) => server.streams.size),
    abandoned: sum((server) => server.abandoned),
    lastHeaders: servers.at(-1)?.lastHeaders ?? {},
  };
}
