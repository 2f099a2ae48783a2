import { expect, test } from 'vitest';
import { Metrics } from './metrics.ts';

const few = (most: number, always: readonly string[] = []) => ({
  name: 'toolgate_calls',
  help: 'calls',
  label: 'server',
  names: () => ({ most, always }),
});

test('calls are counted by outcome, and their durations in buckets that add up', async () => {
  const metrics = new Metrics();
  const row = metrics.red(few(10)).row('github');
  row.count('ok', 0.002);
  row.count('ok', 0.0025);
  row.count('timeout', 1_000);
  const text = await metrics.text();
  expect(text).toContain('# TYPE toolgate_calls_total counter');
  expect(text).toContain('toolgate_calls_total{server="github",outcome="ok"} 2');
  expect(text).toContain('toolgate_calls_total{server="github",outcome="timeout"} 1');
  expect(text).toContain('# TYPE toolgate_calls_duration_seconds histogram');
  expect(text).toContain('toolgate_calls_duration_seconds_bucket{le="0.001",server="github"} 0');
  expect(text).toContain('toolgate_calls_duration_seconds_bucket{le="0.0025",server="github"} 2');
  expect(text).toContain('toolgate_calls_duration_seconds_bucket{le="300",server="github"} 2');
  expect(text).toContain('toolgate_calls_duration_seconds_bucket{le="+Inf",server="github"} 3');
  expect(text).toContain('toolgate_calls_duration_seconds_sum{server="github"} 1000.0045');
  expect(text).toContain('toolgate_calls_duration_seconds_count{server="github"} 3');
});

test('ten thousand names make no more rows than there may be, and none of their calls is lost', async () => {
  const metrics = new Metrics();
  const red = metrics.red(few(3, ['important']));
  for (let number = 0; number < 10_000; number++) red.row(`tenant-${number}`).count('ok', 0.1);
  red.row('important').count('ok', 0.1);
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('toolgate_calls_total{'));
  expect(lines).toEqual([
    'toolgate_calls_total{server="tenant-0",outcome="ok"} 1',
    'toolgate_calls_total{server="tenant-1",outcome="ok"} 1',
    'toolgate_calls_total{server="tenant-2",outcome="ok"} 1',
    'toolgate_calls_total{server="important",outcome="ok"} 1',
    'toolgate_calls_total{server="other",outcome="ok"} 9997',
  ]);
});

test('gauges are read when somebody asks, and forget labels that are gone', async () => {
  const metrics = new Metrics();
  let away = ['github', 'mail'];
  let seconds = 1;
  const read = () => away.map((server) => ({ labels: { server }, value: 1 }));
  metrics.gauge({ name: 'toolgate_away', help: 'Away.', labels: ['server'], read });
  metrics.total({ name: 'toolgate_lost_total', help: 'Lost.', read: async () => seconds++ });
  expect(await metrics.text()).toContain('toolgate_away{server="mail"} 1');
  away = ['github'];
  const text = await metrics.text();
  expect(text).toContain('toolgate_away{server="github"} 1');
  expect(text).not.toContain('mail');
  expect(text).toContain('toolgate_lost_total 2');
});

test('the numbers of several processes add up, but for those that are the same in all', async () => {
  const processes = [2, 3].map((count) => {
    const metrics = new Metrics();
    metrics.watchProcess();
    const row = metrics.red(few(5)).row('github');
    for (let call = 0; call < count; call++) row.count('ok', 0.5);
    metrics.gauge({ name: 'toolgate_sessions', help: 'Sessions.', read: () => count });
    metrics.gauge({ name: 'toolgate_degraded', help: 'Degraded.', together: 'max', read: () => count - 2 });
    return metrics;
  });
  const [first, second] = processes;
  // What another process says has travelled as text.
  const others = [JSON.parse(JSON.stringify(await second!.picture()))];
  const text = await first!.text(async () => others);
  expect(text).toContain('toolgate_calls_total{server="github",outcome="ok"} 5');
  expect(text).toContain('toolgate_calls_duration_seconds_bucket{le="0.5",server="github"} 5');
  expect(text).toContain('toolgate_calls_duration_seconds_count{server="github"} 5');
  expect(text).toContain('toolgate_sessions 5');
  expect(text).toContain('toolgate_degraded 1');
  expect(text).toMatch(/^toolgate_event_loop_delay_seconds_count \d/m);
  expect(text).not.toContain('nodejs_eventloop_lag');
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
});
