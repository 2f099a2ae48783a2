// Everything that is checked without running the program: `npm run check`, or `npm run check -- types lint`.
// `npm test` runs all of it too.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A program of a package in node_modules, or a script of ours; arguments after it. */
type Command = readonly [script: string, ...args: string[]];

/** Files that are written by a program and kept in the repository: the same program says whether they are current. */
const generated: readonly (readonly [name: string, command: Command])[] = [
  ['docs', ['scripts/docs.ts', '--check']],
  ['schema', ['scripts/schema.ts', '--check']],
];

const checks: readonly (readonly [name: string, command: Command])[] = [
  ['format', ['node_modules/@biomejs/biome/bin/biome', 'format', '--reporter=summary', '.']],
  ['lint', ['node_modules/@biomejs/biome/bin/biome', 'lint', '--error-on-warnings', '.']],
  ['promises', ['node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings']],
  ['types', ['node_modules/typescript/bin/tsc', '-p', '.']],
  ['catalog', ['scripts/catalog.ts', '--check']],
  ['unused', ['node_modules/knip/bin/knip.js', '--no-progress']],
  ['unused-in-production', ['node_modules/knip/bin/knip.js', '--no-progress', '--production']],
  ...generated,
];

const root = fileURLToPath(new URL('..', import.meta.url));
process.exitCode = main(process.argv.slice(2));

function main(names: string[]): number {
  const unknown = names.filter((name) => !checks.some(([known]) => known === name));
  if (unknown.length > 0) {
    console.error(
      `No such check: ${unknown.join(', ')}. There are: ${checks.map(([name]) => name).join(', ')}.`,
    );
    return 2;
  }
  const chosen = checks.filter(([name]) => names.length === 0 || names.includes(name));
  const passed = chosen.filter(([name, command]) => passes(name, command)).length;
  const failed = chosen.length - passed;
  // `npm test` adds these to its own counts.
  const results = process.env['TOOLGATE_CHECK_RESULTS'];
  if (results !== undefined) writeFileSync(results, JSON.stringify({ passed, failed }));
  return failed === 0 ? 0 : 1;
}

/** Runs one check and prints its name and time, and on failure everything that it said. */
function passes(name: string, [script, ...args]: Command): boolean {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
  const time = `${((performance.now() - began) / 1000).toFixed(1)} s`;
  console.log(`${name}: ${status === 0 ? 'ok' : 'FAILED'} in ${time}`);
  if (status !== 0) console.log(`\n${stdout}${stderr}`);
  return status === 0;
}
