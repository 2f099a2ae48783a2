// The rules of the house as functions over a tree of sources; `architecture.test.ts` holds the real one to them.
import path from 'node:path';
import { parseSync } from 'oxc-parser';

/** Path in the repository -> source text. */
export type Tree = ReadonlyMap<string, string>;

/** Who may import whom: only leftward. A name is a folder of `src/` or a file in it. */
const ladder: readonly (readonly string[])[] = [
  ['platform'],
  ['audit'],
  ['secrets'],
  ['access'],
  ['identity', 'catalog', 'llm'],
  ['gateway', 'sync'],
  ['chat'],
  ['config-schema.ts'],
  ['admin', 'config.ts'],
  ['start'],
  ['main.ts'],
];

/** One owner for each thing outside: who else needs it asks the owner. A path ends in `/` for a folder. */
const owners: Readonly<Record<string, readonly string[]>> = {
  '@azure/identity': ['src/secrets/master-keys/sources/'],
  '@azure/keyvault-keys': ['src/secrets/master-keys/sources/'],
  '@electric-sql/pglite': ['src/platform/db/'],
  '@opentelemetry/api': ['src/platform/tracing/'],
  '@opentelemetry/exporter-trace-otlp-http': ['src/platform/tracing/'],
  '@opentelemetry/resources': ['src/platform/tracing/'],
  '@opentelemetry/sdk-trace-base': ['src/platform/tracing/'],
  '@hono/node-server': ['src/platform/http/', 'src/admin/', 'src/start/'],
  commander: ['cli/'],
  'eventsource-parser': ['src/gateway/connectors/'],
  hono: ['src/platform/http/', 'src/admin/'],
  jose: ['src/identity/'],
  'jsonc-parser': ['src/platform/jsonc.ts', 'cli/import/'],
  'node:child_process': [
    ...['src/gateway/connectors/', 'src/gateway/runner/', 'src/platform/db/data-dir-lock.ts'],
    'cli/run-server.ts',
  ],
  'node:cluster': ['src/platform/workers/'],
  'node:worker_threads': ['src/platform/db/'],
  pg: ['src/platform/db/'],
  ioredis: ['src/platform/redis/'],
  minisearch: ['src/catalog/entries/', 'src/gateway/meta/'],
  oauth4webapi: ['src/secrets/accounts/'],
  'openid-client': ['src/identity/'],
  pino: ['src/platform/log.ts'],
  'prom-client': ['src/platform/metrics/'],
  undici: ['src/gateway/connectors/', 'src/platform/guarded-fetch.ts'],
};

/** Of what the process of the runner loads, which must not load the rest of the feature. */
const furtherDoors = [
  ...['src/gateway/runner/index.ts', 'src/catalog/entries/index.ts'],
  'src/gateway/limits/dangling-limits.ts',
];

/** SQL is written where it is looked for: in the store files of a feature, and in the platform's database. */
const sqlFile = /^src\/platform\/db\/|\/(store|store-[a-z-]+|[a-z-]+-store)\.ts$/;

const testFile = /\.test\.tsx?$|\.contract\.ts$/;
const codeFile = /\.(ts|tsx|mts|mjs|js)$/;

const longestFile = 300;
const longOnPurpose = /^(\/\/|\/\*).*\b(schema|table|page)\b/i;

/** Words that say nothing, so everything ends up under them: as a folder, or last in a file's name. */
const emptyWords =
  /^(services?|controllers?|dtos?|managers?|helpers?|utils?|utilities|common|lib|types\.tsx?|interfaces\.tsx?)$/;

interface Import {
  readonly from: string;
  /** The imported file for a relative import, else null. */
  readonly file: string | null;
  /** `pg`, `@scope/name`, `node:fs` for any other, else null. */
  readonly package: string | null;
}

/** Every rule that applies to a tree, broken by whom: one sentence each. `dependencies` are those of package.json. */
export function violations(tree: Tree, dependencies: readonly string[]): string[] {
  const files = [...tree.keys()];
  const imports = files
    .filter((file) => codeFile.test(file) && !testFile.test(file))
    .flatMap((file) => importsOf(file, tree.get(file) ?? ''));
  return [
    ...imports.flatMap((one) => [
      ...ladderViolations(one),
      ...contractViolations(one),
      ...packageViolations(one, dependencies),
    ]),
    ...cycles(imports).map((cycle) => `${cycle.join(' -> ')}: imports go in a circle`),
    ...files.flatMap((file) => [...lengthViolations(file, tree.get(file) ?? ''), ...nameViolations(file)]),
  ];
}

/** What a file imports, re-exports or loads by a literal `import()`. */
export function importsOf(file: string, source: string): Import[] {
  const { module, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  const reexports = module.staticExports.flatMap(({ entries }) =>
    entries.map(({ moduleRequest }) => moduleRequest?.value),
  );
  const dynamic = module.dynamicImports.map(
    ({ moduleRequest: { start, end } }) => /^['"`]([^'"`$]+)['"`]$/.exec(source.slice(start, end))?.[1],
  );
  const names = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...reexports,
    ...dynamic,
  ];
  return [...new Set(names)].flatMap((name) => (name === undefined ? [] : [resolve(file, name)]));
}

function resolve(from: string, name: string): Import {
  if (name.startsWith('.')) {
    return { from, file: path.posix.join(path.posix.dirname(from), name), package: null };
  }
  const parts = name.split('/', name.startsWith('@') ? 2 : 1);
  return { from, file: null, package: parts.join('/') };
}

function rungOf(name: string): number {
  return ladder.findIndex((names) => names.includes(name));
}

function ladderViolations({ from, file }: Import): string[] {
  const [fromTop, fromFeature = ''] = from.split('/');
  if (fromTop !== 'src' || file === null || !codeFile.test(file)) return [];
  const arrow = `${from} -> ${file}`;
  if (rungOf(fromFeature) < 0) return [`${arrow}: ${fromFeature} has no rung on the ladder`];
  const [top, feature = '', ...rest] = file.split('/');
  if (top !== 'src' || testFile.test(file))
    return [`${arrow}: the program imports nothing that is not its own`];
  if (feature === fromFeature) return [];
  const contracts = isContract(from) && isContract(file);
  if (rungOf(feature) < 0 || rungOf(feature) > rungOf(fromFeature)) return [`${arrow}: against the ladder`];
  if (rungOf(feature) === rungOf(fromFeature) && !contracts) return [`${arrow}: neighbours on one rung`];
  const isDoor =
    rest.length === 0 || ['index.ts', 'contract.ts'].includes(rest.join('/')) || furtherDoors.includes(file);
  return isDoor || ['platform', 'start'].includes(feature)
    ? []
    : [`${arrow}: not through index.ts or contract.ts`];
}

function isContract(file: string): boolean {
  return /^src\/[a-z-]+\/contract\.ts$/.test(file);
}

/** Contracts are read by browsers and command lines too, so they bring nothing but shapes. */
function contractViolations(one: Import): string[] {
  const { from, file } = one;
  if (isContract(from)) {
    const allowed = file === null ? one.package === 'zod' : isContract(file);
    return allowed ? [] : [`${from} -> ${file ?? one.package}: contracts import only contracts and zod`];
  }
  if (!/^(cli|web)\//.test(from) || file === null || !codeFile.test(file)) return [];
  const own = file.startsWith(`${from.split('/')[0]}/`);
  return own || isContract(file) ? [] : [`${from} -> ${file}: cli and web see only contracts`];
}

function packageViolations({ from, package: name }: Import, dependencies: readonly string[]): string[] {
  if (name === null || !/^(src|cli|web)\//.test(from)) return [];
  const arrow = `${from} -> ${name}`;
  if (!name.startsWith('node:') && !dependencies.includes(name)) {
    return [`${arrow}: not in the dependencies of package.json`];
  }
  if (name === 'kysely') return sqlFile.test(from) ? [] : [`${arrow}: SQL is written in store files`];
  const allowed = owners[name];
  const isOwner = allowed?.some((owner) => (owner.endsWith('/') ? from.startsWith(owner) : from === owner));
  return isOwner === false ? [`${arrow}: only ${allowed?.join(', ')} may`] : [];
}

/** Circles of files, each named once. */
function cycles(imports: readonly Import[]): string[][] {
  const next = new Map<string, string[]>();
  for (const { from, file } of imports) if (file !== null) next.set(from, [...(next.get(from) ?? []), file]);
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (file: string, trail: string[]): void => {
    if (trail.includes(file)) found.push([...trail.slice(trail.indexOf(file)), file]);
    if (trail.includes(file) || done.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}

function lengthViolations(file: string, source: string): string[] {
  const lines = source.trimEnd().split('\n');
  if (lines.length <= longestFile || longOnPurpose.test(lines[0] ?? '')) return [];
  return [
    `${file}: ${lines.length} lines; split it, or let its first line say why it is a schema, a table or a page`,
  ];
}

function nameViolations(file: string): string[] {
  const parts = file.split('/');
  const name = parts.pop() ?? '';
  const lastWord = name.split('.')[0]?.split('-').at(-1) ?? '';
  const empty = [...parts, name, lastWord].find((word) => emptyWords.test(word));
  return empty === undefined ? [] : [`${file}: "${empty}" says nothing about what is inside`];
}
