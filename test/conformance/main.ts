// The official MCP conformance suite, first against our fixture server, then against the same server behind
// Toolgate: `npm run test:conformance [-- --direct] [-- --revision 2026-07-28 --scenario tools-list]`.
// Toolgate must change no result.
import { parseArgs } from 'node:util';
import { startConformanceServer } from '../fakes/conformance-server.ts';
import { compareRuns, layOut, tally } from './compare.ts';
import { startInjectingProxy } from './injecting-proxy.ts';
import { runSuite, type Selection, type SuiteRun } from './suite.ts';
import { startToolgate } from './toolgate.ts';

const { values } = parseArgs({
  options: {
    direct: { type: 'boolean', default: false },
    revision: { type: 'string', multiple: true, default: ['2025-11-25', '2026-07-28'] },
    scenario: { type: 'string' },
  },
});

const selections = values.revision.map((revision) => ({ revision, scenario: values.scenario }));
const began = performance.now();
const fixture = await startConformanceServer();
try {
  const direct = await runAll(fixture.url, selections);
  const fixtureIsSound = direct.every((run) => run.passed);
  if (!fixtureIsSound) console.log('The fixture itself fails scenarios that are required.');
  const unchanged = values.direct ? printOnly(direct) : await runThroughGate(direct);
  console.log(`\nWall time: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  process.exitCode = fixtureIsSound && unchanged ? 0 : 1;
} finally {
  await fixture.close();
}

async function runAll(url: string, which: readonly Selection[]): Promise<SuiteRun[]> {
  const runs: SuiteRun[] = [];
  for (const selection of which) {
    const run = await runSuite(url, selection);
    if (run.scenarios.size === 0) throw new Error(`The suite left no results. It printed:\n${run.output}`);
    runs.push(run);
  }
  return runs;
}

async function runThroughGate(direct: readonly SuiteRun[]): Promise<boolean> {
  const gate = await startToolgate(fixture.url);
  const proxy = await startInjectingProxy(gate.url, gate.headers);
  try {
    const runs = await runAll(proxy.url, selections);
    const same = selections.map(({ revision }, at) => printComparison(revision, direct[at], runs[at]));
    return same.every(Boolean);
  } finally {
    await proxy.close();
    await gate.close();
  }
}

function printComparison(revision: string, direct?: SuiteRun, gate?: SuiteRun): boolean {
  if (!direct || !gate) throw new Error(`Revision ${revision} was not run on both sides.`);
  const { table, differences } = compareRuns(direct, gate);
  console.log(
    `\n${revision}: passed/failed checks (${direct.seconds.toFixed(1)} s, ${gate.seconds.toFixed(1)} s)\n`,
  );
  console.log(table);
  if (differences.length > 0) console.log(`\nDifferent through the gate:\n  ${differences.join('\n  ')}`);
  return differences.length === 0;
}

function printOnly(direct: readonly SuiteRun[]): boolean {
  for (const [at, run] of direct.entries()) {
    const rows = [...run.scenarios].map(([name, checks]) => [name, tally(checks)]);
    const total = ['total', tally([...run.scenarios.values()].flat())];
    console.log(`\n${selections[at]?.revision}: passed/failed checks (${run.seconds.toFixed(1)} s)\n`);
    console.log(layOut([['scenario', 'direct'], ...rows, total]));
  }
  return true;
}
