// Who may import whom, and what files may look like. The ladder is the whole rule; see ARCHITECTURE.md.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { importsOf, violations } from './architecture.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

test('the sources keep the rules of the house', () => {
  const files = globSync('{src,cli,web}/**/*.{ts,tsx}', { cwd: root });
  expect(files.length).toBeGreaterThan(0);
  const tree = new Map(
    files.map((file) => [file.replaceAll('\\', '/'), readFileSync(`${root}${file}`, 'utf8')]),
  );
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  expect(violations(tree, Object.keys(manifest.dependencies))).toEqual([]);
});

test('every form of import is seen', () => {
  const source = `
    import a, { type B } from './a.ts';
    import type { C } from './c.ts';
    import './side.ts';
    import pg from 'pg/lib/client.js';
    import { D } from '@scope/name/deep';
    export * from './d.ts';
    export type { E } from './e.ts';
    // import './comment.ts'
    const f = await import('./f.ts');
    const text = "import './text.ts'";
  `;
  const seen = importsOf('src/access/x.ts', source).map((one) => one.file ?? one.package ?? '');
  expect(seen.toSorted()).toEqual([
    '@scope/name',
    'pg',
    'src/access/a.ts',
    'src/access/c.ts',
    'src/access/d.ts',
    'src/access/e.ts',
    'src/access/f.ts',
    'src/access/side.ts',
  ]);
});

const dependencies = ['hono', 'jose', 'kysely', 'lru-cache', 'pg', 'pino', 'undici', 'zod'];

/** The one violation of a tree of one file that imports one thing; undefined when there is none. */
function reported(from: string, name: string): string | undefined {
  const found = violations(new Map([[from, `import '${name}';`]]), dependencies);
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0];
}

test.each([
  ['a lower rung through its door', 'src/gateway/pipeline.ts', '../access/index.ts'],
  ['a lower rung through its contract', 'src/gateway/steps/authorize.ts', '../../access/contract.ts'],
  ['any file of the platform', 'src/access/store.ts', '../platform/db/index.ts'],
  ['a file of its own feature', 'src/gateway/pipeline.ts', './steps/authorize.ts'],
  ['any door, in main', 'src/main.ts', './admin/index.ts'],
  ['the configuration, in main', 'src/main.ts', './config.ts'],
  ['a contract, in a contract of the same rung', 'src/llm/contract.ts', '../identity/contract.ts'],
  ['a contract, in the command line', 'cli/users.ts', '../src/access/contract.ts'],
  ['its own package, in the owner', 'src/platform/db/pool.ts', 'pg'],
  ['SQL, in a store', 'src/access/snapshot-store.ts', 'kysely'],
  ['anything, in a test', 'src/audit/x.test.ts', '../../test/database.ts'],
])('%s may be imported', (_, from, name) => {
  expect(reported(from, name)).toBeUndefined();
});

test.each([
  ['a higher rung', 'src/access/can.ts', '../gateway/index.ts', 'against the ladder'],
  ['a neighbour on the same rung', 'src/identity/x.ts', '../catalog/index.ts', 'neighbours'],
  ['a file behind the door', 'src/gateway/x.ts', '../access/store.ts', 'not through index.ts'],
  ['a folder behind the door', 'src/admin/x.ts', '../gateway/faces/index.ts', 'not through index.ts'],
  ['the configuration, in a feature', 'src/gateway/x.ts', '../config.ts', 'against the ladder'],
  ['anything, from a folder without a rung', 'src/extra/x.ts', '../platform/log.ts', 'no rung'],
  ['a test or its tools, in the program', 'src/access/x.ts', '../../test/database.ts', 'not its own'],
  [
    'a contract, in a contract of a lower rung',
    'src/audit/contract.ts',
    '../access/contract.ts',
    'the ladder',
  ],
  ['code, in a contract', 'src/access/contract.ts', './can.ts', 'contracts import only'],
  ['a package beside zod, in a contract', 'src/access/contract.ts', 'lru-cache', 'contracts import only'],
  ['code of the server, in the command line', 'cli/users.ts', '../src/access/index.ts', 'see only contracts'],
  ['code of the server, in the web', 'web/portal/page.tsx', '../../src/admin/app.ts', 'see only contracts'],
  ['a package of another owner', 'src/access/store.ts', 'pg', 'only src/platform/db/'],
  [
    'processes outside the connectors',
    'src/admin/x.ts',
    'node:child_process',
    'only src/gateway/connectors/',
  ],
  ['SQL outside a store', 'src/access/can.ts', 'kysely', 'store files'],
  ['a package that only development has', 'src/access/x.ts', 'vitest', 'not in the dependencies'],
])('%s may not be imported', (_, from, name, reason) => {
  expect(reported(from, name)).toContain(reason);
});

test('imports in a circle are reported, types included', () => {
  const tree = new Map([
    ['src/access/a.ts', "import './b.ts';"],
    ['src/access/b.ts', "import type { C } from './c.ts';"],
    ['src/access/c.ts', "export * from './a.ts';"],
    ['src/access/d.ts', "import './a.ts';"],
  ]);
  expect(violations(tree, [])).toEqual([
    'src/access/a.ts -> src/access/b.ts -> src/access/c.ts -> src/access/a.ts: imports go in a circle',
  ]);
});

test('a file over 300 lines is reported unless its first line says that it is a schema, a table or a page', () => {
  const long = 'export {};\n'.repeat(301);
  const tree = new Map([
    ['src/access/long.ts', long],
    ['src/access/contract.ts', `// Wire shapes. A schema file: longer than most, on purpose.\n${long}`],
    ['src/access/short.ts', 'export {};\n'.repeat(300)],
  ]);
  expect(violations(tree, [])).toEqual([expect.stringContaining('src/access/long.ts: 301 lines')]);
});

test.each([
  'access/service.ts',
  'access/user-helpers.ts',
  'utils/text.ts',
  'access/types.ts',
  'gateway/lib/x.ts',
])('src/%s is a name that says nothing', (file) => {
  expect(violations(new Map([[`src/${file}`, '']]), [])).toEqual([expect.stringContaining('says nothing')]);
});

test('a product word that looks like an empty one is no empty name', () => {
  expect(violations(new Map([['src/identity/service-token.ts', '']]), [])).toEqual([]);
});
