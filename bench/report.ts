import type { Wire } from './client.ts';
import type { Measured } from './load.ts';
import type { Running } from './processes.ts';
import { servers, tools, users } from './scenario.ts';
import type { Scrapes } from './scrapes.ts';

export const direct = 'no proxy';
export const bareAgent = 'bare proxy (node:http)';
export const bareUndici = 'bare proxy (undici)';
export const gate = 'Toolgate /mcp/{server}';
export const everyTrace = 'the same, with every trace';
export const usualTraces = 'the same, with traces';

export interface Sample extends Measured {
  /** CPU seconds of the measured server; undefined where the system does not say. */
  readonly cpu: number | undefined;
}

export interface CallResult extends Pick<Wire, 'era' | 'path' | 'tool'> {
  readonly name: string;
  readonly server: Running;
  readonly connections: number;
  /** One for each round. */
  readonly samples: Sample[];
}

export interface ListResult extends Measured {
  readonly users: number;
}

export interface Report {
  readonly isQuick: boolean;
  /** How many cores there are, and who runs on which. */
  readonly cores: string;
  readonly database: string;
  readonly calls: readonly CallResult[];
  readonly lists: readonly ListResult[];
  readonly scrapes: Scrapes;
  readonly session: { readonly count: number; readonly bytes: number };
  readonly seconds: number;
}

/** Everything as Markdown, the way it goes into docs/benchmark.md. */
export function reportText({
  isQuick,
  cores,
  database,
  calls,
  lists,
  session,
  scrapes,
  seconds,
}: Report): string {
  return [
    `Node ${process.versions.node} on ${process.platform} ${process.arch}; ${cores}. Records go to ${database}. ${count(users)} users. Took ${seconds.toFixed(0)} s.`,
    ...(isQuick ? ['This was a quick run: rough numbers.'] : []),
    ...(['legacy', 'modern'] as const).flatMap((era) =>
      callTable(
        era,
        calls.filter((call) => call.era === era),
      ),
    ),
    ...tracesText(calls),
    `One scrape of /metrics: ${scrapes.cpuMs === undefined ? 'not measured' : `${scrapes.cpuMs.toFixed(1)} ms of CPU time`}, ${(scrapes.bytes / 1024).toFixed(0)} KB.`,
    '',
    `| ${servers} servers, ${count(tools)} tools | p50 | p99 |`,
    '| --- | ---: | ---: |',
    ...lists.map(
      (list) =>
        `| \`initialize\` + \`tools/list\`, ${count(list.users)} user${list.users === 1 ? '' : 's'} | ${list.p50.toFixed(2)} ms | ${list.p99.toFixed(2)} ms |`,
    ),
    '',
    `Memory per idle session: ${(session.bytes / 1024).toFixed(1)} KB (${count(session.count)} sessions of as many users).`,
    '',
  ].join('\n');
}

function callTable(era: string, calls: readonly CallResult[]): string[] {
  return [
    '',
    `| ${era} client, ${era} server | clients | calls/s | calls per CPU s | p50 | p99 | of node:http | of undici |`,
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...calls.map((call) => row(call, calls)),
    '',
    `Added p50 at one client: ${added(calls)}.`,
  ];
}

function row(call: CallResult, all: readonly CallResult[]): string {
  const perCpu =
    call.name === direct
      ? undefined
      : median(call.samples.map(({ count, cpu }) => count / (cpu ?? Number.NaN)));
  const cells = [
    call.name,
    String(call.connections),
    count(median(call.samples.map(({ count, seconds }) => count / seconds))),
    perCpu === undefined || Number.isNaN(perCpu) ? '' : count(perCpu),
    `${p50(call).toFixed(3)} ms`,
    `${median(call.samples.map(({ p99 }) => p99)).toFixed(3)} ms`,
    ratio(call, bareAgent, all),
    ratio(call, bareUndici, all),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** What traces leave of the calls that the same CPU time is good for without them. */
function tracesText(calls: readonly CallResult[]): string[] {
  const traced = calls.filter(({ name }) => name === everyTrace || name === usualTraces);
  if (traced.length === 0) return [];
  const of = (call: CallResult) => `${call.name} ${ratio(call, gate, calls)} at ${call.connections}`;
  return ['', `Calls per CPU second of those without traces: ${traced.map(of).join(', ')}.`, ''];
}

/** The median of the ratios of the rounds: within one round, both met the machine in the same mood. */
function ratio(call: CallResult, bareName: string, all: readonly CallResult[]): string {
  const bare = all.find(
    ({ name, era, connections }) => name === bareName && era === call.era && connections === call.connections,
  );
  if (!bare || bare === call || call.name === direct) return '';
  const ratios = call.samples.flatMap((sample, round) => {
    const other = bare.samples[round];
    return other ? [speed(sample) / speed(other)] : [];
  });
  return `${(median(ratios) * 100).toFixed(0)} %`;
}

/** Calls per CPU second, which does not depend on who else wanted the cores; without it, calls per second. */
function speed({ count, seconds, cpu }: Sample): number {
  return count / (cpu ?? seconds);
}

function added(calls: readonly CallResult[]): string {
  const alone = calls.filter(({ connections }) => connections === 1);
  const without = alone.find(({ name }) => name === direct);
  if (!without) return 'not measured';
  const proxies = alone.filter((call) => call !== without);
  return proxies.map((call) => `${call.name} ${(p50(call) - p50(without)).toFixed(3)} ms`).join(', ');
}

function p50(call: CallResult): number {
  return median(call.samples.map((sample) => sample.p50));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
