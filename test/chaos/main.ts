// Drills of failures: `npm run test:chaos [-- name …] [-- --write]`. Names are the files beside this one. Prints a table of
// what happened; `--write` puts its rows into docs/reliability.md.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';
import { columns } from './report.ts';

const root = path.join(import.meta.dirname, '../..');
const page = path.join(root, 'docs/reliability.md');
const inOrder = [
  ...['postgres', 'redis', 'upstreams', 'spill-full', 'clock', 'idle-sessions', 'slow-reader', 'flood'],
  'killed-replica',
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false } },
});
const names = globSync('*.chaos.ts', { cwd: import.meta.dirname })
  .map((file) => file.replace('.chaos.ts', ''))
  .sort((a, b) => inOrder.indexOf(a) - inOrder.indexOf(b));
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`There is no drill ${unknown.join(', ')}; there are ${names.join(', ')}.`);
  process.exit(2);
}

const rows: string[][] = [];
for (const name of positionals.length === 0 ? names : positionals) rows.push(...(await drill(name)));
const table = [columns, columns.map(() => '---'), ...rows].map(line).join('\n');
console.log(`\n${table}\n`);
if (values.write && process.exitCode === undefined) write(rows);

/** The rows of one file of drills; one after the other, so that none is in the way of another. */
async function drill(name: string): Promise<string[][]> {
  const vitest = await startVitest('test', [], {
    root,
    config: false,
    include: [`test/chaos/${name}.chaos.ts`],
    globalSetup: ['test/postgres.ts'],
    pool: 'forks',
    reporters: ['verbose'],
    testTimeout: 600_000,
    hookTimeout: 120_000,
    watch: false,
  });
  const tests = vitest.state.getTestModules().flatMap((module) => [...module.children.allTests()]);
  await vitest.close();
  return tests.flatMap((test) => {
    const row = test.meta().drill;
    return row ? [[...row]] : [];
  });
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Rows of drills that did not run stay as they are. */
function write(found: readonly string[][]): void {
  const text = readFileSync(page, 'utf8');
  const marked = /(<!-- drills -->\n)([\s\S]*?)(<!-- \/drills -->)/;
  const [, , before = ''] = marked.exec(text) ?? [];
  const known = before
    .trim()
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const all = new Map([...known, ...found].map((row) => [row[0] ?? '', row]));
  const next = [columns, columns.map(() => '---'), ...all.values()].map(line).join('\n');
  writeFileSync(
    page,
    text.replace(marked, (_all, open, _old, close) => `${open}${next}\n${close}`),
  );
}
