// Stands in for the remote servers of the catalog: one listener, the first step of the path names the server. Each takes
// exactly what its entry says that it takes, and remembers under which name the key was given out.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FakeServer } from './hostile/fake-server.ts';
import {
  bodyWire,
  closedEarly,
  eventStreamHeaders,
  eventWire,
  readMessage,
  seenHeaders,
} from './hostile/http-wire.ts';
import { listenOnLoopback } from './loopback.ts';
import { standInKind } from './stand-in-tools.ts';

/** One request that a server takes, as far as its keys and values go. */
export interface Presented {
  /** Whose keys these are. */
  readonly as: string;
  /** Path and query, the server's id first. */
  readonly target: string;
  /** By lower-case name; where it has no `authorization`, none may be there. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface StandIn {
  readonly id: string;
  readonly at: number;
  readonly type: 'http' | 'sse';
  readonly modern: boolean;
  readonly tools: readonly string[];
  readonly takes: readonly Presented[];
  /** How its refusal says that one signs in. */
  readonly challenge: 'none' | 'Bearer' | 'Basic' | 'oauth';
}

export interface StandIns {
  readonly origin: string;
  /** `server whose` of every request that was taken. */
  readonly taken: ReadonlySet<string>;
  /** `server` of every request that was refused. */
  readonly refused: readonly string[];
  close(): Promise<void>;
}

/** `standInOf` is asked again for each request, so that it may be known later than the address. */
export async function startStandIns(standInOf: (id: string) => StandIn | undefined): Promise<StandIns> {
  const taken = new Set<string>();
  const refused: string[] = [];
  const servers = new Map<string, FakeServer>();
  const streams = new Map<string, ServerResponse>();
  const http = await listenOnLoopback((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const standIn = standInOf(pathname.split('/')[1] ?? '');
    if (!standIn) return void response.writeHead(404).end();
    const stream = streams.get(searchParams.get('stand-in-session') ?? '');
    const presented = takenAs(standIn, request, stream !== undefined);
    if (!presented) {
      refused.push(standIn.id);
      return refuse(standIn, request, response);
    }
    taken.add(`${standIn.id} ${presented.as}`);
    const server = servers.get(standIn.id) ?? fakeServer(standIn);
    servers.set(standIn.id, server);
    const arriving = { request, response, seen: { shown: JSON.stringify(presented) } };
    if (standIn.type === 'http') return void answer(server, arriving);
    if (stream) return void answerOnStream(server, arriving, stream);
    if (request.method === 'GET') return openStream(standIn, response, streams);
    response.writeHead(405).end();
  });
  return { ...{ origin: http.origin, taken, refused }, close: () => http.close() };
}

function fakeServer(standIn: StandIn): FakeServer {
  return new FakeServer(standIn.id, {
    kind: standInKind(standIn),
    options: new URLSearchParams(),
    broadcast: () => undefined,
  });
}

/** Which of the requests that it takes this one is; messages of an open stream go to an address of their own. */
function takenAs({ takes }: StandIn, request: IncomingMessage, isOnStream: boolean): Presented | undefined {
  const seen = seenHeaders(request);
  return takes.find(
    ({ target, headers }) =>
      (isOnStream || target === request.url) &&
      Object.entries({ authorization: undefined, ...headers }).every(([name, value]) => seen[name] === value),
  );
}

function refuse({ id, challenge }: StandIn, request: IncomingMessage, response: ServerResponse): void {
  const metadata = `http://${request.headers.host}/.well-known/oauth-protected-resource/${id}`;
  const says = {
    none: undefined,
    Bearer: `Bearer realm="${id}"`,
    Basic: `Basic realm="${id}"`,
    oauth: `Bearer resource_metadata="${metadata}"`,
  }[challenge];
  response
    .writeHead(401, { 'content-type': 'application/json', ...(says && { 'www-authenticate': says }) })
    .end('{"error":"unauthorized"}');
}

interface Arriving {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly seen: Readonly<Record<string, string>>;
}

async function answer(server: FakeServer, { request: incoming, response, seen }: Arriving): Promise<void> {
  if (incoming.method !== 'POST') return void response.writeHead(405).end();
  const { message, request } = await readMessage(incoming);
  if (request) return server.answer(request, bodyWire(response, { seen, signal: closedEarly(response) }));
  server.take(message);
  response.writeHead(202).end();
}

function openStream({ id }: StandIn, response: ServerResponse, streams: Map<string, ServerResponse>): void {
  const session = randomUUID();
  streams.set(session, response);
  response.once('close', () => streams.delete(session));
  const endpoint = `/${id}/messages?stand-in-session=${session}`;
  response.writeHead(200, eventStreamHeaders).write(`event: endpoint\ndata: ${endpoint}\n\n`);
}

async function answerOnStream(
  server: FakeServer,
  { request: incoming, response, seen }: Arriving,
  stream: ServerResponse,
): Promise<void> {
  const { message, request } = await readMessage(incoming);
  response.writeHead(202).end('Accepted');
  if (request) await server.answer(request, eventWire(stream, { seen, signal: closedEarly(stream) }));
  else server.take(message);
}
