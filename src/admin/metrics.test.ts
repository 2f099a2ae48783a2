import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../platform/http/listen.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { createLog } from '../platform/log.ts';
import { Metrics } from '../platform/metrics/metrics.ts';
import { type MetricsDeps, metricsMount } from './metrics.ts';

const token = 'a-token-of-prometheus';

async function served(deps: Partial<MetricsDeps> = {}) {
  const metrics = new Metrics();
  metrics.gauge({ name: 'toolgate_sessions', help: 'Sessions.', read: () => 3 });
  const publicUrl = 'http://localhost:8085';
  const server = createHttpServer({
    mounts: [metricsMount({ metrics, token: undefined, publicUrl, ...deps })],
    guard: { check: () => ({ ok: true, headers: [] }) },
    limit: () => 0,
    log: createLog('silent'),
  });
  const port = await listen(server, '127.0.0.1', 0);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return async (headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
}

test('this machine reads them without a token', async () => {
  const read = await served();
  const { status, text, headers } = await read();
  expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/plain')]);
  expect(text).toContain('# TYPE toolgate_sessions gauge\ntoolgate_sessions 3');
});

test.each([
  ['x-forwarded-for', '127.0.0.1'],
  ['x-forwarded-host', 'localhost'],
  ['x-forwarded-proto', 'http'],
  ['x-real-ip', '127.0.0.1'],
  ['forwarded', 'for=127.0.0.1'],
  ['via', '1.1 proxy'],
])('whoever comes through a proxy on this machine is not this machine (%s)', async (name, value) => {
  const read = await served();
  const { status, text } = await read({ [name]: value });
  expect([status, JSON.parse(text).error.code]).toEqual([403, 'metrics_closed']);
});

test('where people use another address there is a proxy, whatever it adds', async () => {
  const read = await served({ publicUrl: 'https://gate.acme.com' });
  expect((await read()).status).toBe(403);
});

test('with a token, it is the token that counts, on this machine too', async () => {
  const read = await served({ token, publicUrl: 'https://gate.acme.com' });
  const wrong: Record<string, string>[] = [
    {},
    { authorization: 'Bearer wrong' },
    { authorization: `Basic ${token}` },
  ];
  for (const sent of wrong) {
    const { status, headers, text } = await read(sent);
    expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(text).not.toContain('toolgate_sessions');
  }
  const { status, text } = await read({ authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.9' });
  expect(status).toBe(200);
  expect(text).toContain('toolgate_sessions 3');
});

test('the other processes of this machine are added', async () => {
  const other = new Metrics();
  other.gauge({ name: 'toolgate_sessions', help: 'Sessions.', read: () => 4 });
  const read = await served({ others: async () => [await other.picture()] });
  expect((await read()).text).toContain('toolgate_sessions 7');
});
