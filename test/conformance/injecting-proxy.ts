import { Agent, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { listenOnLoopback } from '../fakes/loopback.ts';

/** Headers of one connection, which each side of the proxy settles for itself (RFC 9110 section 7.6.1). */
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/**
 * The suite cannot send credentials: this listens on loopback and forwards everything to `target` with `headers`
 * added. Host, Origin and all other headers go through as they came, both bodies stream.
 */
export async function startInjectingProxy(
  target: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ url: string; close(): Promise<void> }> {
  const agent = new Agent({ keepAlive: true });
  const to = new URL(target);
  const proxy = await listenOnLoopback((request, response) =>
    forward({ request, response, to, headers, agent }),
  );
  return {
    url: `${proxy.origin}${to.pathname}`,
    close: async () => {
      await proxy.close();
      agent.destroy();
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly to: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
}

function forward({ request, response, to, headers, agent }: Exchange): void {
  const upstream = send({
    agent,
    host: to.hostname,
    port: to.port,
    method: request.method,
    path: request.url,
    headers: [...endToEnd(request.rawHeaders), ...bodyFraming(request), ...Object.entries(headers).flat()],
  });
  upstream.once('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
    response.flushHeaders();
    // A stream that breaks off must break off on the other side too, so an error needs no more than this.
    pipeline(answer, response, () => undefined);
  });
  upstream.once('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.once('close', () => upstream.destroy());
  request.pipe(upstream);
}

function endToEnd(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => !hopByHop.has((rawHeaders[at - (at % 2)] ?? '').toLowerCase()));
}

/** Headers given as a list are sent as they are, so a body of unknown length must be announced by hand. */
function bodyFraming(request: IncomingMessage): string[] {
  return request.headers['transfer-encoding'] === undefined ? [] : ['Transfer-Encoding', 'chunked'];
}
