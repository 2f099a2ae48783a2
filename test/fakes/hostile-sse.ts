import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FakeServer } from './hostile/fake-server.ts';
import {
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
import type { RpcMessage, RpcRequest } from './hostile/wire.ts';

export interface HostileSse {
  /** Where a kind is served: the URL of its event stream. */
  url(kind: KindName, options?: Options): string;
  /** Event streams that are open. */
  openStreams(): number;
  close(): Promise<void>;
}

/** The 2024-11-05 transport: `GET /<kind>/sse` names the endpoint that messages are posted to and carries the answers. */
export async function startHostileSse(): Promise<HostileSse> {
  const connections = new Map<string, Connection>();
  const open = (request: IncomingMessage, response: ServerResponse, { kind, options }: Asked) => {
    const id = randomUUID();
    connections.set(id, new Connection(kind, { options, response, seen: seenHeaders(request) }));
    response.once('close', () => {
      connections.get(id)?.server.close();
      connections.delete(id);
    });
    response.writeHead(200, eventStreamHeaders).write(`event: endpoint\ndata: /messages?sessionId=${id}\n\n`);
  };
  const loopback = await listenOnLoopback((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const kind = /^\/([a-z-]+)\/sse$/.exec(pathname)?.[1];
    const connection = connections.get(searchParams.get('sessionId') ?? '');
    if (request.method === 'GET' && kind && kindNamed(kind))
      open(request, response, { kind, options: searchParams });
    else if (request.method === 'POST' && connection) void connection.post(request, response);
    else response.writeHead(404).end();
  });
  return {
    url: (kind, options) => withOptions(`${loopback.origin}/${kind}/sse`, options),
    openStreams: () => connections.size,
    close: () => loopback.close(),
  };
}

interface Asked {
  readonly kind: string;
  readonly options: URLSearchParams;
}

class Connection {
  readonly server: FakeServer;
  readonly #stream: ServerResponse;
  readonly #seen: Record<string, string>;
  readonly #gone = new AbortController();
  readonly #running = new Map<unknown, AbortController>();

  constructor(
    name: string,
    {
      options,
      response,
      seen,
    }: { options: URLSearchParams; response: ServerResponse; seen: Record<string, string> },
  ) {
    this.#stream = response;
    this.#seen = seen;
    this.server = new FakeServer(name, {
      kind: kindNamed(name) ?? {},
      options,
      broadcast: (message) => void response.write(eventOf(JSON.stringify(message))),
    });
    response.once('close', () => this.#gone.abort());
  }

  async post(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { message, request } = await readMessage(incoming);
    response.writeHead(202).end('Accepted');
    if (request) return this.#answer(request);
    if (message['method'] === 'notifications/cancelled') this.#cancel(message);
    this.server.take(message);
  }

  async #answer(request: RpcRequest): Promise<void> {
    const cancel = new AbortController();
    this.#running.set(request.id, cancel);
    const signal = AbortSignal.any([cancel.signal, this.#gone.signal]);
    try {
      await this.server.answer(request, eventWire(this.#stream, { seen: this.#seen, signal }));
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#running.delete(request.id);
    }
  }

  #cancel(message: RpcMessage): void {
    const params = message['params'] as { requestId?: unknown } | undefined;
    this.#running.get(params?.requestId)?.abort();
  }
}
