// What several processes gain: the same load on one worker and on more, with everything on the machine sharing its cores.
import { availableParallelism } from 'node:os';
import { startParts } from './parts.ts';
import { calledServer, serverName, toolNames } from './scenario.ts';

const connections = 64;

/** Prints a table: calls a second for each number of workers, in rounds that take turns. */
export async function compareWorkers(isQuick: boolean): Promise<void> {
  const cores = availableParallelism();
  const counts = [...new Set([1, 2, cores])].sort((a, b) => a - b);
  const [rounds, forMs] = isQuick ? [2, 1_000] : [6, 3_000];
  const [tool = ''] = toolNames(calledServer.legacy);
  const wire = { era: 'legacy', path: `/mcp/${serverName(calledServer.legacy)}`, tool } as const;
  const rows: string[] = [];
  let alone = 0;
  for (const count of counts) {
    const parts = await startParts({ measured: undefined, description: '' }, { WORKERS: String(count) });
    try {
      const job = { kind: 'calls', origin: parts.toolgate.origin, ...wire, connections } as const;
      await parts.load({ ...job, forMs: 2 * forMs });
      const samples: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const { count: calls, seconds } = await parts.load({ ...job, forMs });
        samples.push(calls / seconds);
      }
      const median = samples.sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0;
      alone ||= median;
      const shown = Math.round(median).toLocaleString('en');
      rows.push(`| ${count} | ${shown} | ${Math.round((median / alone) * 100)} % |`);
    } finally {
      await parts.close();
    }
  }
  const about = `${cores} cores for Toolgate, ${connections} clients, upstream and database together.`;
  process.stdout.write(
    `${about}\n\n| workers | calls/s | of one |\n| ---: | ---: | ---: |\n${rows.join('\n')}\n`,
  );
}
