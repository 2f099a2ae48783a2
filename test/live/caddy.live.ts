// Streams and clients that leave, through Caddy with the shipped Caddyfile.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { request } from 'node:https';
import { once } from 'node:events';
import { afterAll, describe, expect, test } from 'vitest';
import { listen } from '../../src/platform/http/listen.ts';
import { closeClients } from '../e2e/clients.ts';
import { freePort } from '../e2e/program.ts';
import { caddyProgram, startCaddy } from './caddy.ts';

const caddy = caddyProgram();
let answer: (req: IncomingMessage, res: ServerResponse) => void = (_, res) => void res.end();
const behind = createServer((req, res) => (req.url === '/gateway/health' ? res.end() : answer(req, res)));

afterAll(async () => {
  await closeClients();
  behind.closeAllConnections();
  behind.close();
});

describe.skipIf(caddy === undefined)('through Caddy', async () => {
  const port = await freePort();
  const toolgate = `127.0.0.1:${await listen(behind, '127.0.0.1', 0)}`;
  if (caddy) await startCaddy(caddy, { site: `https://localhost:${port}`, toolgate });

  const ask = (method: string) =>
    request({ port, host: 'localhost', method, path: '/', rejectUnauthorized: false }).on('error', () => 0);

  test.each(['text/event-stream', 'application/x-ndjson', 'application/json', 'text/plain'])(
    'each part of an answer leaves at once: %s',
    async (type) => {
      const parts = ['{"part":1}\n', '{"part":2}\n'];
      let more = (_part: string | undefined): void => undefined;
      answer = (_, res) => {
        res.writeHead(200, { 'content-type': type });
        more = (part) => void (part === undefined ? res.end() : res.write(part));
        more(parts[0]);
      };
      const out = ask('GET').end();
      const [response] = (await once(out, 'response')) as [IncomingMessage];
      // The second is not written before the first has come.
      expect(String((await once(response, 'data'))[0])).toBe(parts[0]);
      more(parts[1]);
      expect(String((await once(response, 'data'))[0])).toBe(parts[1]);
      more(undefined);
      await once(response, 'end');
    },
  );

  test.each([
    ['a call that has no answer yet', 'POST', false],
    ['a stream under way', 'GET', true],
  ] as const)('when a client leaves, the end of %s is told', async (_what, method, streams) => {
    const left = new Promise<boolean>((resolve) => {
      answer = (req, res) => {
        req.resume();
        res.once('close', () => resolve(res.writableFinished));
        if (streams) res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
        else out.destroy();
      };
    });
    const out = ask(method);
    out.once('response', () => out.destroy());
    out.end(method === 'POST' ? '{}' : undefined);
    expect(await left).toBe(false);
  });
});
