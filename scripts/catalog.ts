// Keeps the shipped entries of the catalog: `--check` says what is wrong with them, `--update` asks the registries for the
// newest versions and writes them down (`--keep`: only what is missing; names of entries: only those).
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CatalogEntry, catalogEntry, type Way } from '../src/catalog/contract.ts';
import { shippedFiles } from '../src/catalog/entries/shipped.ts';
import { isExact } from '../src/catalog/install/launch.ts';
import { createRegistries, type Registries } from '../src/catalog/registries/registries.ts';
import { messageOf } from '../src/platform/errors.ts';
import { check, formatPath } from '../src/platform/mistakes.ts';

type StdioWay = Extract<Way, { type: 'stdio' }>;

interface ShippedFile {
  readonly file: string;
  readonly content: unknown;
}

/** What is wrong with the shipped entries, one sentence each. */
export function catalogMistakes(files: readonly ShippedFile[] = shippedFiles()): string[] {
  const entries = files.flatMap(({ file, content }) =>
    (Array.isArray(content) ? content : []).map((entry: unknown) => ({ file, entry })),
  );
  const ids = new Map<string, string>();
  return entries.flatMap(({ file, entry }, at) => {
    const checked = check(catalogEntry, entry);
    const name = `${file}: ${idOf(entry) ?? `entry ${at + 1}`}`;
    if (!checked.ok)
      return checked.mistakes.map(({ path, message }) => `${name}: ${formatPath(path)}: ${message}`);
    const { id } = checked.value;
    const twice = ids.has(id) ? [`${name}: is in ${ids.get(id)} already`] : [];
    ids.set(id, file);
    return [...twice, ...ownMistakes(checked.value, file).map((mistake) => `${name}: ${mistake}`)];
  });
}

/** What is asked of shipped entries beyond those that an operator writes. */
function ownMistakes(entry: CatalogEntry, file: string): string[] {
  const { category, homepage, protocolNotes, sourceRefs, transports, auth } = entry;
  const told = { homepage, protocolNotes, sourceRefs: sourceRefs[0] };
  const missing = Object.entries(told).filter(([, value]) => value === undefined);
  return [
    ...(file.endsWith(`/${category}.json`)
      ? []
      : [`has the category ${category}, and stands in another file`]),
    ...missing.map(([name]) => `has no ${name}`),
    ...auth.env.filter(({ name }) => changesPrograms.test(name)).map(({ name }) => `asks for ${name}`),
    ...transports.flatMap(wayMistakes),
  ];
}

/** Variables with which whoever fills them in runs code of his own. */
const changesPrograms =
  /^(PATH|NODE_OPTIONS|NODE_PATH|LD_.*|DYLD_.*|PYTHON(PATH|STARTUP|HOME)|npm_config_.*|UV_.*|PIP_.*|DOCKER_HOST|BASH_ENV|ENV|IFS)$/i;

function wayMistakes(way: Way, at: number): string[] {
  const where = `transports[${at}]`;
  if (way.type !== 'stdio') return way.url.startsWith('https://') ? [] : [`${where}: is not https`];
  const own = way.runtime === 'binary' && way.package.includes('/') ? [`${where}: names a path`] : [];
  if (way.version === undefined) return own;
  const exact = isExact(way.runtime, { version: way.version, digest: null });
  return exact ? own : [...own, `${where}: ${way.version} is not one exact version`];
}

function idOf(entry: unknown): string | undefined {
  return typeof entry === 'object' && entry !== null && 'id' in entry ? String(entry.id) : undefined;
}

function checkAll(): number {
  const mistakes = catalogMistakes();
  for (const mistake of mistakes) console.error(mistake);
  const all = shippedFiles().flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const ways = all.flatMap((entry: CatalogEntry) => entry.transports ?? []);
  const open = ways.filter((way) => way.type === 'stdio' && way.runtime !== 'binary' && !way.version);
  console.log(`${all.length} entries, ${ways.length} ways; ${open.length} get their version when installed.`);
  return mistakes.length === 0 ? 0 : 1;
}

async function updateAll(args: readonly string[]): Promise<number> {
  const only = args.filter((arg) => !arg.startsWith('--'));
  const registries = createRegistries({
    npm: process.env['npm_config_registry'],
    pypi: process.env['UV_DEFAULT_INDEX'],
  });
  const failures: string[] = [];
  for (const { url, content } of shippedFiles()) {
    if (!Array.isArray(content)) continue;
    const before = JSON.stringify(content);
    for (const entry of content)
      if (only.length === 0 || only.includes(idOf(entry) ?? ''))
        failures.push(...(await updateEntry(registries, entry, args.includes('--keep'))));
    if (JSON.stringify(content) === before) continue;
    writeFileSync(url, `${JSON.stringify(content, null, 2)}\n`);
    const biome = fileURLToPath(new URL('../node_modules/@biomejs/biome/bin/biome', import.meta.url));
    spawnSync(process.execPath, [biome, 'format', '--write', fileURLToPath(url)]);
    console.log(`${fileURLToPath(url)} was rewritten; read the difference before you commit it.`);
  }
  await registries.close();
  for (const failure of failures) console.error(failure);
  return failures.length === 0 ? 0 : 1;
}

/** Writes newer versions into the entry; says what could not be found out. */
async function updateEntry(registries: Registries, entry: CatalogEntry, keep: boolean): Promise<string[]> {
  const failures: string[] = [];
  for (const way of entry.transports) {
    if (way.type !== 'stdio' || way.runtime === 'binary' || way.serves) continue;
    try {
      await updateWay(registries, way, way.runtime, keep);
    } catch (error) {
      failures.push(`${entry.id}: ${way.package} stays as it is: ${messageOf(error)}`);
    }
  }
  return failures;
}

async function updateWay(
  registries: Registries,
  way: StdioWay,
  runtime: Exclude<StdioWay['runtime'], 'binary'>,
  keep: boolean,
): Promise<void> {
  // The tag of an image says which one is meant; what it stands for is what changes.
  const wanted = keep || runtime === 'docker' ? way.version : undefined;
  const { version, digest } = await registries.find(runtime, way.package, wanted);
  if (isExact(runtime, { version, digest: null })) way.version = version;
  if (digest === null) delete way.integrity;
  else way.integrity = digest;
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const rest = args.filter((arg) => arg !== '--update');
  process.exitCode = args.includes('--update') ? await updateAll(rest) : checkAll();
}
