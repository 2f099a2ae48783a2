// The official MCP conformance suite, against our fixture servers and against the same servers behind Toolgate, for
// clients and servers of both eras:
// `npm run test:conformance [-- --direct] [-- --cell modern-legacy --scenario tools-list]`.
// Toolgate must change no result but those that across-eras.ts explains.
import { parseArgs } from 'node:util';
import { startConformanceServer } from '../fakes/conformance-server.ts';
import { type Cell, cells, explained } from './across-eras.ts';
import { compareRuns, layOut, tally, totalOf } from './compare.ts';
import { startInjectingProxy } from './injecting-proxy.ts';
import { runSuite, type SuiteRun } from './suite.ts';
import { startToolgate } from './toolgate.ts';

type Era = 'legacy' | 'modern';

const revisions: Readonly<Record<Era, string>> = { legacy: '2025-11-25', modern: '2026-07-28' };

const { values } = parseArgs({
  options: {
    direct: { type: 'boolean', default: false },
    cell: { type: 'string', multiple: true, default: [...cells] },
    scenario: { type: 'string' },
  },
});
const chosen = cells.filter((cell) => values.cell.includes(cell));
if (chosen.length === 0) throw new Error(`--cell must be one of ${cells.join(', ')}.`);

const began = performance.now();
const fixtures = {
  legacy: await startConformanceServer({ era: 'legacy' }),
  modern: await startConformanceServer({ era: 'modern' }),
};
try {
  const direct = await runDirect([...new Set(chosen.map((cell) => sides(cell).client))]);
  const fixtureIsSound = [...direct.values()].every((run) => run.passed);
  if (!fixtureIsSound) console.log('A fixture itself fails scenarios that are required.');
  const unchanged = values.direct ? printDirect(direct) : await runThroughGate(direct);
  console.log(`\nWall time: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  process.exitCode = fixtureIsSound && unchanged ? 0 : 1;
} finally {
  await fixtures.legacy.close();
  await fixtures.modern.close();
}

/** What each era's suite says of a server of that era, with nothing between. */
async function runDirect(eras: readonly Era[]): Promise<Map<Era, SuiteRun>> {
  const runs = new Map<Era, SuiteRun>();
  for (const era of eras) runs.set(era, await run(era, fixtures[era].url));
  return runs;
}

async function runThroughGate(direct: ReadonlyMap<Era, SuiteRun>): Promise<boolean> {
  const gate = await startToolgate({ legacy: fixtures.legacy.url, modern: fixtures.modern.url });
  try {
    const results: { cell: Cell; direct: SuiteRun; gate: SuiteRun }[] = [];
    for (const cell of chosen) {
      const { client, server } = sides(cell);
      const proxy = await startInjectingProxy(gate.urlOf(server), gate.headers);
      const before = direct.get(client);
      if (!before) throw new Error(`There is no direct run to compare ${cell} with.`);
      results.push({ cell, direct: before, gate: await run(client, proxy.url) });
      await proxy.close();
    }
    const ok = results.map((result) => printCell(result.cell, result.direct, result.gate));
    console.log('\nChecks passed/failed, by the era of the client and of the server:\n');
    const rows = results.map((result) => [result.cell, totalOf(result.direct), totalOf(result.gate)]);
    console.log(layOut([['client-server', 'without a gate', 'through Toolgate'], ...rows]));
    return ok.every(Boolean);
  } finally {
    await gate.close();
  }
}

async function run(era: Era, url: string): Promise<SuiteRun> {
  const result = await runSuite(url, { revision: revisions[era], scenario: values.scenario });
  if (result.scenarios.size === 0)
    throw new Error(`The suite left no results. It printed:\n${result.output}`);
  return result;
}

/** True when the gate changes nothing but what is explained, and everything that is explained. */
function printCell(cell: Cell, direct: SuiteRun, gate: SuiteRun): boolean {
  const { table, differences } = compareRuns(direct, gate);
  const reasons = explained[cell];
  const surprising = [...differences].filter(([scenario]) => !(scenario in reasons));
  const outdated = Object.keys(reasons).filter(
    (scenario) => gate.scenarios.has(scenario) && !differences.has(scenario),
  );
  const times = `${direct.seconds.toFixed(1)} s, ${gate.seconds.toFixed(1)} s`;
  console.log(`\n${cell}, ${revisions[sides(cell).client]}: passed/failed checks (${times})\n`);
  console.log(table);
  for (const [scenario, lines] of differences) {
    const reason = scenario in reasons ? ` (explained: ${reasons[scenario]})` : '';
    console.log(`\n${scenario}${reason}\n    ${lines.join('\n    ')}`);
  }
  if (outdated.length > 0) console.log(`\nExplained, but not different: ${outdated.join(', ')}`);
  return surprising.length === 0 && outdated.length === 0;
}

function printDirect(direct: ReadonlyMap<Era, SuiteRun>): boolean {
  for (const [era, result] of direct) {
    const rows = [...result.scenarios].map(([name, checks]) => [name, tally(checks)]);
    console.log(`\n${revisions[era]}: passed/failed checks (${result.seconds.toFixed(1)} s)\n`);
    console.log(layOut([['scenario', 'direct'], ...rows, ['total', totalOf(result)]]));
  }
  return true;
}

function sides(cell: Cell): { client: Era; server: Era } {
  const [client, server] = cell.split('-') as [Era, Era]; // the type Cell says so
  return { client, server };
}
