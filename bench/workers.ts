// What several processes gain and cost: the same load on one worker and on more, with everything on the machine sharing its cores.
import { availableParallelism } from 'node:os';
import { type Parts, startParts } from './parts.ts';
import { untilIdle } from './processes.ts';
import { calledServer, serverName, toolNames } from './scenario.ts';

const connections = 64;

interface Sample {
  readonly callsPerSecond: number;
  /** Microseconds of processors that all processes of Toolgate took for a call. */
  readonly cpu: number;
}

/**
 * Prints a table: calls a second, and what a call costs, for each number of workers. They take turns, so that whatever else
 * the machine does meets all of them. The cost says more where clients and upstream share the cores: what a second worker
 * could use is theirs there.
 */
export async function compareWorkers(isQuick: boolean): Promise<void> {
  const cores = availableParallelism();
  const counts = [...new Set([1, 2, cores])].sort((a, b) => a - b);
  const { rounds, forMs } = isQuick ? { rounds: 4, forMs: 1_500 } : { rounds: 8, forMs: 3_000 };
  const running: { count: number; parts: Parts; samples: Sample[] }[] = [];
  try {
    for (const count of counts) {
      const parts = await startParts({ measured: undefined, description: '' }, { WORKERS: String(count) });
      running.push({ count, parts, samples: [] });
      await sampleOf(parts, 2 * forMs);
    }
    for (let round = 0; round < rounds; round++)
      for (const { parts, samples } of running) samples.push(await sampleOf(parts, forMs));
  } finally {
    for (const { parts } of running) await parts.close();
  }
  const found = running.map(({ count, samples }) => ({ count, ...medians(samples) }));
  const about = `${cores} cores for Toolgate, ${connections} clients, upstream and database together.`;
  process.stdout.write(`${about}\n\n${tableOf(found)}\n`);
}

async function sampleOf({ toolgate, load }: Parts, forMs: number): Promise<Sample> {
  const [tool = ''] = toolNames(calledServer.legacy);
  const wire = { era: 'legacy', path: `/mcp/${serverName(calledServer.legacy)}`, tool } as const;
  await untilIdle(toolgate);
  const before = toolgate.cpu() ?? Number.NaN;
  const job = { kind: 'calls', origin: toolgate.origin, ...wire, connections, forMs } as const;
  const { count, seconds } = await load(job);
  await untilIdle(toolgate);
  const cpu = (((toolgate.cpu() ?? Number.NaN) - before) / count) * 1_000_000;
  return { callsPerSecond: count / seconds, cpu };
}

function medians(samples: readonly Sample[]): Sample {
  const of = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  return {
    callsPerSecond: of(samples.map(({ callsPerSecond }) => callsPerSecond)),
    cpu: of(samples.map(({ cpu }) => cpu)),
  };
}

function tableOf(found: readonly (Sample & { readonly count: number })[]): string {
  const [alone] = found;
  const share = (value: number, of = Number.NaN) => `${Math.round((value / of) * 100)} %`;
  const rows = found.map(({ count, callsPerSecond, cpu }) => {
    const speed = Math.round(callsPerSecond).toLocaleString('en');
    return `| ${count} | ${speed} | ${share(callsPerSecond, alone?.callsPerSecond)} | ${Math.round(cpu)} µs | ${share(cpu, alone?.cpu)} |`;
  });
  return [
    '| workers | calls/s | of one | CPU time of a call | of one |',
    '| ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}
