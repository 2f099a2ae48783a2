// The real Prometheus (Debian's package, unpacked, not installed): it reads /metrics, the rules and the dashboard.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { startCollector } from '../fakes/collector.ts';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { askModern, closeLater } from '../e2e/clients.ts';
import { configOf, eventually, type Gate, startGate } from '../e2e/gate.ts';
import { freePort, type Json } from '../e2e/program.ts';
import { start, untilAnswers } from './process.ts';

const run = promisify(execFile);
const grafana = fileURLToPath(new URL('../../deploy/grafana/', import.meta.url));
const token = 'the-token-of-prometheus';

/** Where `prometheus` and `promtool` are. TOOLGATE_LIVE_PROMETHEUS names a folder that has them. */
async function programs(): Promise<string> {
  const named = process.env['TOOLGATE_LIVE_PROMETHEUS'];
  if (named !== undefined) return named;
  const home = fileURLToPath(new URL('../../.toolgate/live/prometheus', import.meta.url));
  const bin = path.join(home, 'usr', 'bin');
  if (existsSync(path.join(bin, 'promtool'))) return bin;
  await mkdir(home, { recursive: true });
  await run('apt-get', ['download', 'prometheus'], { cwd: home });
  const found = (await readdir(home)).find((file) => file.endsWith('.deb'));
  if (found === undefined) throw new Error('apt-get downloaded no package of Prometheus.');
  await run('dpkg-deb', ['-x', found, home], { cwd: home });
  return bin;
}

let bin: string;
let gate: Gate;
let prometheus: string;

beforeAll(async () => {
  bin = await programs();
  const upstream = closeLater(await startHostileHttp());
  const collector = closeLater(await startCollector());
  gate = await startGate({
    embedded: true,
    config: configOf({
      ok: { type: 'http', url: upstream.url('ok') },
      gone: { type: 'http', url: 'http://127.0.0.1:1/mcp' },
    }),
    env: { METRICS_TOKEN: token, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
  });
  const caller = await gate.tokenFor('alice@acme.com');
  for (const server of ['ok', 'gone'])
    await askModern({ url: `${gate.url}/mcp/${server}`, token: caller }, 'tools/call', {
      ...{ name: 'echo', arguments: { text: 'x' } },
    });
  prometheus = await startPrometheus();
});

async function startPrometheus(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-prometheus-'));
  const scrape = {
    ...{ job_name: 'toolgate', authorization: { credentials: token } },
    static_configs: [{ targets: [new URL(gate.url).host] }],
  };
  const global = { scrape_interval: '1s', evaluation_interval: '1s' };
  // Its YAML takes JSON.
  const config = { global, scrape_configs: [scrape], rule_files: [path.join(grafana, 'alerts.yml')] };
  await writeFile(path.join(folder, 'prometheus.yml'), JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const args = [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=data',
    `--web.listen-address=${address}`,
  ];
  const running = start(path.join(bin, 'prometheus'), args, { PATH: '/usr/bin:/bin', HOME: folder }, folder);
  await untilAnswers(running, `http://${address}/-/ready`, 60);
  return `http://${address}`;
}

async function api(query: string): Promise<Json> {
  const response = await fetch(`${prometheus}/api/v1/${query}`);
  const body = (await response.json()) as Json;
  expect(body.status, `${query}: ${JSON.stringify(body)}`).toBe('success');
  return body.data;
}

test('promtool finds nothing wrong with the rules, and they fire when they should', async () => {
  const promtool = path.join(bin, 'promtool');
  expect((await run(promtool, ['check', 'rules', 'alerts.yml'], { cwd: grafana })).stdout).toContain(
    'SUCCESS',
  );
  const { stdout } = await run(promtool, ['test', 'rules', 'alerts.test.yml'], { cwd: grafana });
  expect(stdout).toContain('SUCCESS');
});

test('promtool finds nothing wrong with the metrics', async () => {
  const metrics = await (
    await fetch(`${gate.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  ).text();
  const lint = run(path.join(bin, 'promtool'), ['check', 'metrics']);
  lint.child.stdin?.end(metrics);
  const { stdout, stderr } = await lint.catch(
    (error: unknown) => error as { stdout: string; stderr: string },
  );
  const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('toolgate_'));
  expect(ours).toEqual([]);
});

test('it reads them with the token, and every rule can be evaluated', async () => {
  await eventually('the gate is read', async () => {
    const { activeTargets } = await api('targets');
    return activeTargets.length === 1 && activeTargets[0].health === 'up';
  });
  const rules = await eventually('the rules were evaluated', async () => {
    const { groups } = await api('rules');
    const found = (groups as Json[]).flatMap((group) => group.rules as Json[]);
    return found.length > 10 && found.every(({ health }) => health !== 'unknown') && found;
  });
  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
});

test('every expression of the dashboard can be asked, and finds something where there is something', async () => {
  const dashboard: Json = JSON.parse(await readFile(path.join(grafana, 'dashboard.json'), 'utf8'));
  const targets = (dashboard.panels as Json[]).flatMap(({ title, targets = [] }) =>
    (targets as Json[]).map(({ expr }) => ({ title, expr: expr as string })),
  );
  expect(targets.length).toBeGreaterThan(30);
  const asked = ({ expr }: { expr: string }) => {
    const filled = expr
      .replaceAll('$job', 'toolgate')
      .replaceAll('$instance', '.+')
      .replaceAll('$__rate_interval', '1m');
    return api(`query?query=${encodeURIComponent(filled)}`);
  };
  for (const one of targets) await asked(one);
  const found = async (title: string) =>
    (await asked(targets.find((one) => one.title === title)!)).result.length as number;
  await eventually('rates', async () => (await found('Calls by face')) > 0, 60);
  for (const title of ['Servers away', 'Version', 'Connections to servers', 'Database', 'Memory'])
    expect(await found(title), title).toBeGreaterThan(0);
});
