// A reverse proxy as it stands in front of replicas: each request goes to the next one, streams pass as they come.
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface RoundRobin {
  readonly url: string;
  /** Requests that each backend has answered. */
  readonly served: readonly number[];
  /** Requests that a backend took and broke off before its answer began. */
  broken(): number;
  /** Sends everything to one backend until it is let go with `undefined`. */
  pin(backend: number | undefined): void;
  close(): Promise<void>;
}

/** `backends`: origins such as `http://127.0.0.1:8085`. */
export async function startRoundRobin(backends: readonly string[]): Promise<RoundRobin> {
  const agent = new Agent({ keepAlive: true });
  const served = backends.map(() => 0);
  let broken = 0;
  let turn = 0;
  let pinned: number | undefined;
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await buffer(incoming);
    const first = pinned ?? turn++ % backends.length;
    // Refused, or broken off before the first byte of an answer: the next one is asked.
    for (let attempt = 0; attempt < backends.length && !outgoing.destroyed; attempt++) {
      const at = (first + attempt) % backends.length;
      const answer = await ask(backends[at] ?? '', { incoming, body, agent, outgoing });
      if (answer === 'broken') broken++;
      if (typeof answer === 'string') continue;
      served[at] = (served[at] ?? 0) + 1;
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.on('error', () => outgoing.destroy());
      answer.pipe(outgoing);
      return;
    }
    if (!outgoing.destroyed) outgoing.writeHead(502).end();
  };
  const server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    served,
    broken: () => broken,
    pin: (backend) => {
      pinned = backend;
    },
    close: async () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The head of the backend's answer; or it refused, or broke off before it said anything. */
function ask(
  backend: string,
  o: { incoming: IncomingMessage; body: Buffer; agent: Agent; outgoing: ServerResponse },
): Promise<IncomingMessage | 'refused' | 'broken'> {
  const { method, url = '/', headers } = o.incoming;
  return new Promise((resolve) => {
    const asked = request(new URL(url, backend), {
      ...(method !== undefined && { method }),
      headers: { ...headers, host: new URL(backend).host },
      agent: o.agent,
    });
    // The client is gone: so is what the backend does for it.
    const leave = () => asked.destroy();
    o.outgoing.once('close', leave);
    asked.once('response', resolve);
    asked.once('error', (error: NodeJS.ErrnoException) => {
      o.outgoing.off('close', leave);
      resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'broken');
    });
    asked.end(o.body);
  });
}
