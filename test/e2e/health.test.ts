// What operators see of a process that is well, not so well, and one of several.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { askModern, closeLater, post } from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const upstream = closeLater(await startHostileHttp());
const config = configOf({ ok: { type: 'http', url: upstream.url('ok') } });

async function degraded(gate: Gate): Promise<string[]> {
  const response = await fetch(`${gate.url}/gateway/ready`);
  const body = (await response.json()) as { degraded: { part: string }[] };
  return body.degraded.map(({ part }) => part);
}

const metricsOf = async (gate: Gate) => (await fetch(`${gate.url}/metrics`)).text();

function sampleOf(metrics: string, series: string): number {
  return Number(
    metrics
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1),
  );
}

async function callTimes(gate: Gate, times: number): Promise<void> {
  const token = await gate.tokenFor('alice@acme.com');
  for (let call = 0; call < times; call++)
    await askModern({ url: `${gate.url}/mcp/ok`, token }, 'tools/call', {
      ...{ name: 'echo', arguments: { text: 'x' } },
    });
}

test('a wrong config file is told of until it is right again', async () => {
  const gate = await startGate({ config });
  const file = path.join(gate.folder, 'mcp-servers.json');
  const series = 'toolgate_degraded{part="config file"}';
  expect([await degraded(gate), sampleOf(await metricsOf(gate), series)]).toEqual([[], 0]);
  await writeFile(file, '{ "mcpServers": { "ok": {} } }');
  await eventually('the mistake', async () => (await degraded(gate)).includes('config file'), 30);
  expect(sampleOf(await metricsOf(gate), series)).toBe(1);
  await writeFile(file, JSON.stringify(config));
  await eventually('its end', async () => !(await degraded(gate)).includes('config file'), 30);
});

test('several processes of one machine are read as one', async () => {
  const gate = await startGate({ config, env: { WORKERS: '2' } });
  await callTimes(gate, 20);
  // Whichever of them is asked.
  for (let asked = 0; asked < 5; asked++) {
    const metrics = await metricsOf(gate);
    expect(sampleOf(metrics, 'toolgate_calls_total{face="stream",outcome="ok"}')).toBe(20);
    expect(sampleOf(metrics, 'toolgate_calls_duration_seconds_count{face="stream"}')).toBe(20);
    expect(sampleOf(metrics, 'toolgate_degraded{part="database"}')).toBe(0);
    expect(sampleOf(metrics, 'toolgate_records_accepting')).toBe(1);
  }
});

test('where people come by another address, the metrics are closed until there is a token', async () => {
  const env = { PUBLIC_URL: 'https://gate.acme.com' };
  const closed = await startGate({ config, env });
  const answer = await fetch(`${closed.url}/metrics`);
  expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
    403,
    'metrics_closed',
  ]);
  const METRICS_TOKEN = 'a-token-of-prometheus';
  const open = await startGate({ config, env: { ...env, METRICS_TOKEN } });
  expect((await fetch(`${open.url}/metrics`)).status).toBe(401);
  const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
  expect(await (await fetch(`${open.url}/metrics`, { headers })).text()).toContain('toolgate_info');
  expect(open.logs()).not.toContain(METRICS_TOKEN);
});

test('every HTTP request is counted, refused ones and those whose client left too', async () => {
  const gate = await startGate({ config, env: { ACCESS_LOG: 'true' } });
  const total = async (part: string, outcome: string) =>
    sampleOf(await metricsOf(gate), `toolgate_http_requests_total{part="${part}",outcome="${outcome}"}`) || 0;
  const before = await total('calls', '4xx');
  await (await fetch(`${gate.url}/nothing-here`)).text();
  await eventually('the refused one', async () => (await total('calls', '4xx')) === before + 1);
  const token = await gate.tokenFor('alice@acme.com');
  const url = `${gate.url}/mcp/ok`;
  const leaving = AbortSignal.timeout(300);
  const params = { name: 'slow', arguments: { ms: 60_000 } };
  await post({ url, token }, { jsonrpc: '2.0', id: 1, method: 'tools/call', params }, leaving).catch(
    () => undefined,
  );
  await eventually('the one that was left', async () => (await total('calls', '4xx')) === before + 2);
  expect(gate.logs()).toContain('"status":499');
});
