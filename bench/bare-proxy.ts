// A proxy that forwards and does nothing else: what any Node program in this place must cost at the least.
// `node bare-proxy.ts agent|undici <upstream origin>`
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Pool } from 'undici';
import { announcePort } from './announce.ts';

type Forward = (req: IncomingMessage, res: ServerResponse, body: Buffer) => void;

const [kind, origin = ''] = process.argv.slice(2);
const forward =
  kind === 'undici'
    ? throughPool(new Pool(origin))
    : throughAgent(new URL(origin), new Agent({ keepAlive: true }));

// Messages are small, so bodies are gathered: streaming each of them would cost more.
const server = createServer({ noDelay: true }, (req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => forward(req, res, whole(chunks)));
});
announcePort(server);

function throughAgent(to: URL, agent: Agent): Forward {
  return (req, res, body) => {
    const options = {
      agent,
      host: to.hostname,
      port: to.port,
      method: req.method,
      path: req.url,
      headers: req.headers,
    };
    const outgoing = request(options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        res.end(whole(chunks));
      });
    });
    outgoing.on('error', () => res.writeHead(502).end());
    outgoing.end(body);
  };
}

function throughPool(pool: Pool): Forward {
  return (req, res, body) => {
    const { connection: _connection, 'content-length': _length, ...headers } = req.headers;
    const chunks: Buffer[] = [];
    let status = 502;
    let answered: Record<string, string | string[]> = {};
    pool.dispatch(
      {
        method: req.method === 'POST' ? 'POST' : 'DELETE',
        path: req.url ?? '/',
        headers,
        body: body.length > 0 ? body : null,
      },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code, head) => {
          status = code;
          answered = Object.fromEntries(
            Object.entries(head).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
          );
        },
        onResponseData: (_controller, chunk) => void chunks.push(chunk),
        onResponseEnd: () => {
          res.writeHead(status, answered);
          res.end(whole(chunks));
        },
        onResponseError: () => res.writeHead(502).end(),
      },
    );
  };
}

function whole(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}
