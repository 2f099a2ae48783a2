// The shipped dashboard and alert rules name only what a real process tells.
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startCollector } from '../fakes/collector.ts';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { groupingIn, selectorsIn } from '../promql.ts';
import { askModern, closeLater } from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const folder = new URL('../../deploy/grafana/', import.meta.url);
const text = (file: string) => readFile(new URL(file, folder), 'utf8');

const prometheus = z.object({ type: z.literal('prometheus'), uid: z.literal('${datasource}') });
const place = z.object({
  ...{ x: z.int().min(0), y: z.int().min(0) },
  ...{ w: z.int().min(1).max(24), h: z.int().min(1) },
});
const target = z.object({ refId: z.string(), expr: z.string().min(1), datasource: prometheus });
const panel = z.discriminatedUnion('type', [
  z.object({ type: z.literal('row'), id: z.int(), title: z.string().min(1), gridPos: place }),
  ...(['timeseries', 'stat'] as const).map((type) =>
    z.object({
      ...{ type: z.literal(type), id: z.int(), title: z.string().min(1), gridPos: place },
      ...{ datasource: prometheus, targets: z.array(target).min(1) },
      fieldConfig: z.object({ defaults: z.object({ unit: z.string() }), overrides: z.array(z.unknown()) }),
    }),
  ),
]);
/** What Grafana needs of a dashboard that is provisioned from a file. */
const dashboardFile = z.object({
  title: z.literal('Toolgate'),
  uid: z.string().regex(/^[\w-]{1,40}$/),
  schemaVersion: z.int().min(36),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.enum(['datasource', 'query']), query: z.string() })),
  }),
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
  panels: z.array(panel),
});

const dashboard = dashboardFile.parse(JSON.parse(await text('dashboard.json')));
const ofPanels = dashboard.panels.flatMap((one) =>
  'targets' in one ? one.targets.map(({ expr }) => expr) : [],
);
const ofVariables = dashboard.templating.list.flatMap(
  ({ query }) => /^label_values\((.+), \w+\)$/.exec(query)?.[1] ?? [],
);
const alerts = [...(await text('alerts.yml')).matchAll(/^ +expr: (.+)$/gm)].map(([, expr = '']) => expr);
const expressions = [
  ...ofPanels,
  ...ofVariables,
  ...dashboard.annotations.list.map(({ expr }) => expr),
  ...alerts,
];

let gate: Gate;
/** Name of a metric -> labels that it has. */
const told = new Map<string, ReadonlySet<string>>();

beforeAll(async () => {
  const upstream = closeLater(await startHostileHttp());
  const collector = closeLater(await startCollector());
  gate = await startGate({
    config: configOf(
      {
        ok: { type: 'http', url: upstream.url('ok') },
        gone: { type: 'http', url: 'http://127.0.0.1:1/mcp' },
      },
      {
        tenants: { acme: {} },
        users: { 'alice@acme.com': { groups: ['Everyone'] } },
        groups: { Everyone: { tenant: 'acme', servers: { ok: ['*'], gone: ['*'] } } },
      },
    ),
    nodeFlags: ['--expose-gc'],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
  });
  const token = await gate.tokenFor('alice@acme.com');
  for (const server of ['ok', 'gone'])
    await askModern({ url: `${gate.url}/mcp/${server}`, token }, 'tools/call', {
      ...{ name: 'echo', arguments: { text: 'x' } },
    });
  const metrics = await eventually('all that is told after a call', async () => {
    const found = await (await fetch(`${gate.url}/metrics`)).text();
    return (
      /^nodejs_gc_duration_seconds_sum/m.test(found) && found.includes('toolgate_servers_away{') && found
    );
  });
  for (const [, name = '', labels = ''] of metrics.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? \S+$/gm))
    told.set(name, new Set([...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label)));
});

/** Prometheus puts these on whatever it reads. */
const added = ['job', 'instance'];

describe('a PromQL expression', () => {
  test.each([
    ['rate(a_total{x="1", y!~"b{c}"}[5m])', [{ metric: 'a_total', labels: ['x', 'y'] }]],
    ['up == 0', [{ metric: 'up', labels: [] }]],
    [
      'topk(10, sum by (a, le) (b)) / on (x) group_left (y) c{d="e"} > 0.5 and f or 1',
      [
        { metric: 'b', labels: [] },
        { metric: 'c', labels: ['d'] },
        { metric: 'f', labels: [] },
      ],
    ],
    ['increase(a[$__rate_interval]) offset 5m', [{ metric: 'a', labels: [] }]],
  ])('%s is read', (expression, selectors) => {
    expect(selectorsIn(expression.replace(' offset 5m', ''))).toEqual(selectors);
  });
});

test('every metric that the dashboard and the rules name is told by a real process, with these labels', () => {
  expect(alerts.length).toBeGreaterThan(10);
  expect(ofPanels.length).toBeGreaterThan(30);
  const missing = expressions.flatMap((expression) =>
    selectorsIn(expression)
      .filter(({ metric }) => metric !== 'up')
      .flatMap(({ metric, labels }) => {
        const known = told.get(metric);
        if (!known) return [`${metric} is not told: ${expression}`];
        const grouping = selectorsIn(expression).length === 1 ? groupingIn(expression) : [];
        return [...labels, ...grouping]
          .filter((label) => !added.includes(label) && !known.has(label))
          .map((label) => `${metric} has no label ${label}: ${expression}`);
      }),
  );
  expect(missing).toEqual([]);
});

test('every metric of the gate itself is shown or watched', () => {
  const named = new Set(
    expressions.flatMap((expression) => selectorsIn(expression)).map(({ metric }) => metric),
  );
  const isNamed = (metric: string) =>
    named.has(metric) || ['_sum', '_count', '_bucket'].some((part) => metric.endsWith(part));
  const unseen = [...told.keys()].filter((metric) => metric.startsWith('toolgate_') && !isNamed(metric));
  expect(unseen).toEqual([]);
});

test('panels have names of their own for Grafana, and none lies on another', () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Set<string>();
  for (const { gridPos, title } of panels)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.has(`${x} ${y}`), title).toBe(false);
        expect(x, title).toBeLessThan(24);
        taken.add(`${x} ${y}`);
      }
});

test('variables that expressions use are there', () => {
  const names = ['datasource', ...dashboard.templating.list.map(({ name }) => name), '__rate_interval'];
  for (const expression of ofPanels)
    for (const [, name = ''] of expression.matchAll(/\$\{?(\w+)/g)) expect(names, expression).toContain(name);
});

test('the metrics name nobody', async () => {
  const metrics = await (await fetch(`${gate.url}/metrics`)).text();
  expect(metrics).toContain('toolgate_server_calls_total{server="ok",outcome="ok"} 1');
  expect(metrics).toContain('toolgate_tenant_calls_total{tenant="acme",outcome="ok"} 1');
  expect(metrics).not.toContain('alice');
});

test('servers and tenants that a caller makes up get no numbers of their own', async () => {
  const token = await gate.tokenFor('alice@acme.com');
  for (const path of ['/mcp/made-up-server', '/t/made-up-tenant/mcp'])
    await askModern({ url: `${gate.url}${path}`, token }, 'tools/call', { name: 'made-up-tool' });
  expect(await (await fetch(`${gate.url}/metrics`)).text()).not.toContain('made-up');
});
