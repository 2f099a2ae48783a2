// Requests that two programs could read in two ways, through Caddy with the shipped Caddyfile: what Caddy passes on, the
// listener behind it reads as the same number of requests.
import { connect } from 'node:tls';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { listen } from '../../src/platform/http/listen.ts';
import { createHttpServer, sendJson } from '../../src/platform/http/server.ts';
import { closeClients } from '../e2e/clients.ts';
import { freePort } from '../e2e/program.ts';
import { caddyProgram, startCaddy } from './caddy.ts';

const caddy = caddyProgram();
const served: string[] = [];
const server = createHttpServer({
  mounts: [
    {
      takes: () => true,
      serve: async (req, res) => {
        served.push(`${req.method} ${req.url}`);
        sendJson(res, 200, { bytes: (await buffer(req)).length });
      },
    },
  ],
  guard: { check: () => ({ ok: true, headers: [] }) },
  limit: () => 0,
  log: createLog('silent'),
});

afterAll(async () => {
  await closeClients();
  server.closeAllConnections();
  server.close();
});

/** Everything that comes back on one connection until it ends or has been silent for a while. */
function send(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    let text = '';
    const done = () => {
      socket.destroy();
      resolve(text);
    };
    let timer = setTimeout(done, 3_000);
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      clearTimeout(timer);
      timer = setTimeout(done, 500);
    });
    socket.on('close', done).on('error', () => undefined);
    socket.once('secureConnect', () => socket.write(bytes, 'latin1'));
  });
}

describe.skipIf(caddy === undefined)('through Caddy', async () => {
  const behind = await listen(server, '127.0.0.1', 0);
  const front = await freePort();
  if (caddy) await startCaddy(caddy, { site: `https://localhost:${front}`, toolgate: `127.0.0.1:${behind}` });
  const host = `Host: localhost:${front}\r\n`;
  const hidden = `GET /smuggled HTTP/1.1\r\n${host}\r\n`;
  const post = (headers: string, body: string) => `POST /first HTTP/1.1\r\n${host}${headers}\r\n${body}`;

  test.each([
    [
      'CL.TE',
      post(`Content-Length: ${5 + hidden.length}\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${hidden}`),
    ],
    [
      'TE.CL',
      post(
        'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
        `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
      ),
    ],
    ['TE.TE', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n', `0\r\n\r\n${hidden}`)],
    [
      'an encoding with a tab',
      post('Transfer-Encoding:\tchunked\r\n', `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`),
    ],
    [
      'a folded encoding',
      post(`Transfer-Encoding:\r\n chunked\r\nContent-Length: ${hidden.length}\r\n`, hidden),
    ],
    ['two lengths', post(`Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n`, hidden)],
    [
      'chunk extensions',
      post('Transfer-Encoding: chunked\r\n', `${hidden.length.toString(16)};a=b\r\n${hidden}\r\n0\r\n\r\n`),
    ],
    [
      'bare line feeds',
      `POST /first HTTP/1.1\n${host.trim()}\nContent-Length: ${hidden.length}\n\n${hidden}`,
    ],
    ['a line feed in a target', `GET /first%0d%0aHost:%20evil HTTP/1.1\r\n${host}\r\n`],
    [
      'a chunked trailer',
      post(
        'Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n',
        `0\r\nContent-Length: ${hidden.length}\r\n\r\n`,
      ),
    ],
    ['a body of a GET', `GET /first HTTP/1.1\r\n${host}Content-Length: ${hidden.length}\r\n\r\n${hidden}`],
  ])('%s hides no request', async (_what, bytes) => {
    served.length = 0;
    const answers = (await send(front, bytes)).match(/HTTP\/1\.1 \d{3} /g) ?? [];
    // Each request that the listener saw was one for Caddy too, which gave an answer to whoever sent it.
    expect(served.length).toBeLessThanOrEqual(answers.length);
    // Another client, on the connection that Caddy keeps to the listener, gets its own answer.
    const second = `GET /second HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
    expect(await send(front, second)).toMatch(/^HTTP\/1\.1 200 /);
    expect(served.at(-1)).toBe('GET /second');
  });
});
