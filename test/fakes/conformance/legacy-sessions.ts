import { randomUUID } from 'node:crypto';
import {
  type EventStore,
  isInitializeRequest,
  type JSONRPCMessage,
  type McpServer,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';

/** Streamable HTTP of the legacy era with session ids and streams that can be resumed. */
export class LegacySessions {
  readonly #open = new Map<
    string,
    { server: McpServer; transport: WebStandardStreamableHTTPServerTransport }
  >();
  readonly #create: () => McpServer;

  constructor(create: () => McpServer) {
    this.#create = create;
  }

  get servers(): McpServer[] {
    return [...this.#open.values()].map((session) => session.server);
  }

  async fetch(request: Request): Promise<Response> {
    const id = request.headers.get('mcp-session-id');
    const session = id === null ? undefined : this.#open.get(id);
    if (session) return session.transport.handleRequest(request);
    if (id !== null) return refusal(404, -32001, 'Session not found');
    if (!(await startsSession(request))) return refusal(400, -32000, 'Bad Request: Session ID required');
    return this.#start(request);
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
    this.#open.clear();
  }

  async #start(request: Request): Promise<Response> {
    const server = this.#create();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: eventStore(),
      retryInterval: 500,
      onsessioninitialized: (id) => void this.#open.set(id, { server, transport }),
      onsessionclosed: (id) => void this.#open.delete(id),
    });
    await server.connect(transport);
    return transport.handleRequest(request);
  }
}

async function startsSession(request: Request): Promise<boolean> {
  if (request.method !== 'POST') return false;
  return isInitializeRequest(
    await request
      .clone()
      .json()
      .catch(() => undefined),
  );
}

function refusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', id: null, error: { code, message } }, { status });
}

const keptEvents = 1000;

/** The last events of one session, in order; the id of an event names its stream. */
function eventStore(): EventStore {
  const events: { id: string; stream: string; message: JSONRPCMessage }[] = [];
  let last = 0;
  return {
    storeEvent: async (stream, message) => {
      last += 1;
      const id = `${stream}/${last}`;
      events.push({ id, stream, message });
      if (events.length > keptEvents) events.shift();
      return id;
    },
    replayEventsAfter: async (lastId, { send }) => {
      const from = events.findIndex((event) => event.id === lastId);
      const stream = lastId.slice(0, lastId.lastIndexOf('/'));
      for (const event of events.slice(from + 1)) {
        // A priming event is stored as an empty message and is not worth sending twice.
        if (event.stream === stream && 'jsonrpc' in event.message) await send(event.id, event.message);
      }
      return stream;
    },
  };
}
