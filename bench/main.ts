// `npm run bench [-- --quick]`: everything side by side in one run, so that only ratios have to be believed.
// `npm run bench -- --tool-flood`: what three tools instead of all of them save (tool-flood.ts).
// `npm run bench -- --workers`: what several processes gain on this machine (workers.ts).
import { parseArgs } from 'node:util';
import { calledServer, serverName, toolNames, tools } from './scenario.ts';
import { heapOf } from './heap.ts';
import { type Parts, startParts } from './parts.ts';
import { reserveCore, untilIdle } from './processes.ts';
import {
  bareAgent,
  bareUndici,
  type CallResult,
  direct,
  everyTrace,
  gate,
  type ListResult,
  type Report,
  reportText,
  type Sample,
  usualTraces,
} from './report.ts';
import { measureScrapes } from './scrapes.ts';

const { values: asked } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    'tool-flood': { type: 'boolean', default: false },
    workers: { type: 'boolean', default: false },
  },
});
const isQuick = asked.quick;
const effort = isQuick
  ? {
      rounds: 1,
      warmUpMs: 1_000,
      forMs: 400,
      connections: [1, 64],
      lists: 100,
      listUsers: 500,
      sessions: 2_000,
    }
  : {
      rounds: 4,
      warmUpMs: 2_000,
      forMs: 1_000,
      connections: [1, 16, 64],
      lists: 300,
      listUsers: 10_000,
      sessions: 10_000,
    };

const [called = ''] = toolNames(calledServer.legacy);
const [calledModern = ''] = toolNames(calledServer.modern);
const legacy = serverName(calledServer.legacy);
const modern = serverName(calledServer.modern);
const toOneServer = { era: 'legacy', path: `/mcp/${legacy}`, tool: called } as const;

const began = performance.now();
if (asked['tool-flood']) await import('./tool-flood.ts');
else if (asked.workers) await (await import('./workers.ts')).compareWorkers(isQuick);
else await compare();

async function compare(): Promise<void> {
  const cores = reserveCore();
  const parts = await startParts(cores);
  try {
    say('ready');
    const traced = await startTraced(parts);
    const calls = await measureCalls(parts, traced);
    const scrapes = await measureScrapes(parts.toolgate);
    const lists = await measureLists(parts);
    const session = await measureSessions(parts);
    const report: Report = {
      isQuick,
      cores: cores.description,
      database: parts.database,
      calls,
      lists,
      session,
      scrapes,
      seconds: (performance.now() - began) / 1000,
    };
    process.stdout.write(reportText(report));
  } finally {
    await parts.close();
  }
}

/** The measured servers take turns within every round, so that whatever else the machine does meets all of them. */
async function measureCalls(p: Parts, traced: readonly Subject[]): Promise<CallResult[]> {
  const all = [...subjects(p), ...traced];
  for (const { server, name: _name, ...wire } of all) {
    await p.load({ kind: 'calls', origin: server.origin, ...wire, connections: 64, forMs: effort.warmUpMs });
  }
  say('warmed up');
  const results: CallResult[] = effort.connections.flatMap((connections) =>
    all
      .filter(({ name }) => name !== direct || connections === 1)
      .map((subject) => ({ ...subject, connections, samples: [] })),
  );
  for (let round = 1; round <= effort.rounds; round++) {
    for (const result of results) result.samples.push(await sample(p, result));
    say(`round ${round} of ${effort.rounds}`);
  }
  return results;
}

type Subject = Omit<CallResult, 'connections' | 'samples'>;

/** The same gate with traces: as many as it keeps where nothing else is set, and all of them. */
async function startTraced(p: Parts): Promise<Subject[]> {
  const to = { OTEL_EXPORTER_OTLP_ENDPOINT: p.collector.origin };
  const servers = [
    { name: usualTraces, server: await p.another('usual-traces', to) },
    {
      name: everyTrace,
      server: await p.another('every-trace', { ...to, OTEL_TRACES_SAMPLER: 'parentbased_always_on' }),
    },
  ];
  return servers.flatMap(({ name, server }) => (server ? [{ ...toOneServer, name, server }] : []));
}

function subjects(p: Parts): Subject[] {
  const old = { era: 'legacy', path: `/legacy/${calledServer.legacy}`, tool: called } as const;
  const young = { era: 'modern', path: `/modern/${calledServer.modern}`, tool: calledModern } as const;
  return [
    { ...old, name: direct, server: p.upstream },
    { ...old, name: bareAgent, server: p.agent },
    { ...old, name: bareUndici, server: p.undici },
    { ...toOneServer, name: gate, server: p.toolgate },
    { ...old, name: 'Toolgate /mcp', server: p.toolgate, path: '/mcp', tool: `${legacy}__${called}` },
    { ...young, name: direct, server: p.upstream },
    { ...young, name: bareAgent, server: p.agent },
    { ...young, name: bareUndici, server: p.undici },
    { ...young, name: gate, server: p.toolgate, path: `/mcp/${modern}` },
  ];
}

/** CPU time counts until the server is idle again: what it puts off is part of the price of a call. */
async function sample(p: Parts, { server, era, path, tool, connections }: CallResult): Promise<Sample> {
  const wire = { origin: server.origin, era, path, tool, connections };
  await untilIdle(server);
  const before = server.cpu();
  const measured = await p.load({ kind: 'calls', ...wire, forMs: effort.forMs });
  await untilIdle(server);
  const after = server.cpu();
  return { ...measured, cpu: before === undefined || after === undefined ? undefined : after - before };
}

async function measureLists({ toolgate, load }: Parts): Promise<ListResult[]> {
  const wire = { origin: toolgate.origin, path: '/mcp', era: 'legacy', tool: '' } as const;
  const results: ListResult[] = [];
  // At the first sight of a user, rights are worked out: that is in the second number, for everybody asks once.
  for (const users of [1, effort.listUsers]) {
    const measured = await load({
      kind: 'lists',
      ...wire,
      times: Math.max(effort.lists, users),
      users,
      tools,
    });
    await untilIdle(toolgate);
    results.push({ users, ...measured });
    say(`lists of ${users} user${users === 1 ? '' : 's'}`);
  }
  return results;
}

async function measureSessions({ toolgate, load }: Parts): Promise<Report['session']> {
  const wire = { origin: toolgate.origin, path: '/mcp', era: 'legacy', tool: '' } as const;
  await untilIdle(toolgate);
  const before = await heapOf(toolgate);
  const { count } = await load({ kind: 'sessions', ...wire, users: effort.sessions });
  await untilIdle(toolgate);
  const after = await heapOf(toolgate);
  return { count, bytes: (after - before) / count };
}

function say(what: string): void {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${what}\n`);
}
