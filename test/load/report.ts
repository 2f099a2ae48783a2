import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Held } from './held.ts';
import type { Calls, Ledger } from './ledger.ts';
import type { Compared } from './recorded.ts';

export interface Result {
  readonly minutes: number;
  readonly ledger: Ledger;
  readonly compared: readonly Compared[];
  /** By replica: idle after the warm-up, idle at the end, and one for each minute between. */
  readonly idle: readonly { readonly before: Held; readonly after: Held }[];
  readonly minutely: readonly (readonly Held[])[];
  /** Sentences with what else was seen. */
  readonly notes: readonly string[];
}

type Row = readonly string[];

const count = (value: number) => value.toLocaleString('en');
const mib = (value: number) => value.toFixed(1);

export function reportText(result: Result): string {
  return [
    introduction(result),
    table([
      [
        'requests',
        'sent',
        'answered',
        'recorded',
        'lost',
        'doubled',
        'client left before',
        'of those recorded',
      ],
      ...requestRows(result),
    ]),
    table([['calls', 'made', 'per s', 'p50 ms', 'p99 ms', 'failed'], ...callRows(result)]),
    'What failed, in the words that clients got (numbers are `N`):',
    errorLines(result.ledger).join('\n'),
    table([['held', 'idle before', 'idle after'], ...heldRows(result)]),
    table([
      ['under load, by replica', 'first minute', 'last minute', 'slope of the last two thirds'],
      ...slopeRows(result),
    ]),
    result.notes.map((note) => `- ${note}`).join('\n'),
  ].join('\n\n');
}

/** The first column says what, the others are numbers. */
function table([head = [], ...rows]: readonly Row[]): string {
  const lines = [head, head.map((_, at) => (at === 0 ? '---' : '---:')), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function introduction({ minutes, ledger, compared }: Result): string {
  const sum = (of: (one: Compared) => number) => compared.reduce((total, one) => total + of(one), 0);
  const calls = [...ledger.calls.values()].reduce((total, one) => total + one.milliseconds.length, 0);
  const lost = sum((one) => one.lost.length);
  const doubled = sum((one) => one.doubled.length);
  return [
    `One run of ${minutes} minutes, Node ${process.versions.node} on ${cpus().length} cores that clients, stand-ins, PostgreSQL and Redis`,
    `shared with the two replicas: **${count(sum(({ sent }) => sent))} requests, ${count(lost)} records lost, ${count(doubled)} doubled**; ${count(calls)} calls were timed.`,
    ...explanation,
  ].join('\n');
}

const explanation = [
  'Two replicas with PostgreSQL, Redis, limits, records, traces of every request, metrics that are read, anchors, and records',
  'sent on to another system. Clients: MCP of both eras, with sessions that end and sessions that are left, the older transport,',
  'three tools instead of all, HTTP routes; pages, uploads, streamed answers and WebSockets of Open WebUI, some left in the middle;',
  'people who sign in and out; administrators who change grants, keys, servers and tokens; one person over a limit; requests that',
  'are refused. Requests go to the replicas in turn. Every twentieth call goes to a server that fails. Each request has a mark in its',
  '`User-Agent`, which its record keeps: both sides are compared, one by one. `npm run test:load -- --minutes 30 --write` does it again.',
  'It fails when a record is lost or doubled, when an idle process holds more than before (8 open files, 8 MiB of heap, one process',
  'that it started), when one in a hundred calls that had to work did not, and when anything is left after a clean stop.',
];

function requestRows({ compared }: Result): Row[] {
  return compared.map((one) => [
    one.kind,
    ...[one.sent, one.answered, one.recorded, one.lost.length, one.doubled.length].map(count),
    ...[one.unanswered, one.unansweredRecorded].map(count),
  ]);
}

function callRows({ ledger, minutes }: Result): Row[] {
  return sorted(ledger).map(([kind, calls]) => [
    kind,
    count(calls.milliseconds.length),
    (calls.milliseconds.length / minutes / 60).toFixed(1),
    calls.percentile(0.5).toFixed(1),
    calls.percentile(0.99).toFixed(1),
    count(calls.failed),
  ]);
}

function errorLines(ledger: Ledger): string[] {
  return sorted(ledger).flatMap(([kind, { errors }]) =>
    [...errors]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 6)
      .map(([text, times]) => `- ${kind}: ${count(times)} × \`${text.replaceAll('`', "'")}\``),
  );
}

function sorted(ledger: Ledger): [string, Calls][] {
  return [...ledger.calls].sort(([a], [b]) => a.localeCompare(b));
}

function heldRows({ idle }: Result): Row[] {
  const rows: [string, (held: Held) => string][] = [
    ['heap after a collection, MiB', ({ heapMiB }) => mib(heapMiB)],
    ['memory of the process (RSS), MiB', ({ rssMiB }) => mib(rssMiB)],
    ['sockets', ({ sockets }) => count(sockets)],
    ['open files, sockets among them', ({ files }) => count(files)],
    ['processes that it started', ({ processes }) => count(processes)],
    ['open files of those', ({ theirFiles }) => count(theirFiles)],
    ['memory of those (RSS), MiB', ({ theirRssMiB }) => mib(theirRssMiB)],
    ['CPU seconds since its start', ({ cpuSeconds }) => cpuSeconds.toFixed(0)],
  ];
  const both = (of: (held: Held) => string, when: 'before' | 'after') =>
    idle.map((replica) => of(replica[when])).join(', ');
  return rows.map(([name, of]) => [name, both(of, 'before'), both(of, 'after')]);
}

function slopeRows({ minutely }: Result): Row[] {
  const rows: [string, (held: Held) => number][] = [
    ['heap, MiB', ({ heapMiB }) => heapMiB],
    ['RSS, MiB', ({ rssMiB }) => rssMiB],
  ];
  return rows.flatMap(([name, of]) =>
    minutely.map((samples, replica) => {
      const values = samples.map(of);
      const late = values.slice(Math.floor(values.length / 3));
      return [
        `${name}, ${replica + 1}`,
        mib(values[0] ?? Number.NaN),
        mib(values.at(-1) ?? Number.NaN),
        late.length < 3 ? '–' : `${(slopeOf(late) * 60).toFixed(1)} MiB an hour`,
      ];
    }),
  );
}

/** Of the line that is nearest to these values, one a minute: by how much it rises in a minute. */
export function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const [over, under] = values.reduce(
    ([above, below], value, at) => [above + (at - middle) * (value - mean), below + (at - middle) ** 2],
    [0, 0],
  );
  return over / under;
}

const page = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url));
const section = /<!-- load -->[\s\S]*<!-- \/load -->/;

/** Puts the numbers between their markers. */
export async function writeReport(text: string): Promise<void> {
  const before = existsSync(page) ? await readFile(page, 'utf8') : '# When things fail\n';
  const marked = `<!-- load -->\n${text}\n<!-- /load -->`;
  const after = section.test(before)
    ? before.replace(section, () => marked)
    : `${before.trimEnd()}\n\n## 30 minutes of mixed load\n\n${marked}\n`;
  await writeFile(page, after);
}
