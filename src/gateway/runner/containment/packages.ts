import { existsSync } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

/** Is it this path, or below it? */
export function isBelow(target: string, directory: string): boolean {
  return target === directory || target.startsWith(directory === '/' ? '/' : `${directory}/`);
}

/** What a program needs to run: the places where commands are looked for, its own package, and its interpreter's. */
export async function neededFor(
  command: string,
  {
    searched,
    cwd,
    isSettled,
  }: { readonly searched: readonly string[]; readonly cwd: string; isSettled(file: string): boolean },
): Promise<string[]> {
  const find = (name: string) =>
    name.includes('/')
      ? path.resolve(cwd, name)
      : searched.map((directory) => path.join(directory, name)).find((file) => existsSync(file));
  const program = find(command);
  const interpreter = program === undefined ? undefined : await interpreterOf(program);
  const all = [program, interpreter && find(interpreter)].filter((file) => file !== undefined);
  const files = all.filter(isSettled);
  const real = await Promise.all(files.map((file) => realpath(file).catch(() => file)));
  const places = searched.filter((directory) => path.isAbsolute(directory)).map(installationOf);
  return [...places, ...[...files, ...real].map(packageOf)];
}

/** `#!/opt/tool/bin/python`, or the command that `#!/usr/bin/env` is to find. */
async function interpreterOf(file: string): Promise<string | undefined> {
  const line = await firstLine(file);
  const [, first, second] = /^#!\s*(\S+)(?:[ \t]+(?:-S[ \t]+)?(\S+))?/.exec(line) ?? [];
  return first?.endsWith('/env') ? second : first;
}

/** No more of it than a line of this kind may have. Nothing of what cannot be read: it cannot be run either. */
async function firstLine(file: string): Promise<string> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return '';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch {
    return ''; // A directory, for one.
  } finally {
    await handle.close();
  }
}

/** What a directory of commands belongs to: `/opt/node` for `/opt/node/bin`. In a home, what lies beside it is private. */
function installationOf(directory: string): string {
  const above = path.dirname(directory);
  const packages = nodeModulesOf(directory);
  if (packages !== undefined) return packages;
  const isInHome = isBelow(directory, homedir()) || isBelow(directory, '/home');
  return ['bin', 'sbin'].includes(path.basename(directory)) && !isBroad(above) && !isInHome
    ? above
    : directory;
}

const signs = [
  'package.json',
  'pyproject.toml',
  'setup.py',
  'requirements.txt',
  'go.mod',
  'deno.json',
  '.git',
];
const farthest = 6;

/** The package that a program belongs to; the program alone where that would be somebody's whole home. */
export function packageOf(file: string): string {
  const packages = nodeModulesOf(file);
  if (packages !== undefined) return packages;
  let at = path.dirname(file);
  for (let step = 0; step < farthest && !isBroad(at); step++) {
    if (signs.some((sign) => existsSync(path.join(at, sign)))) return at;
    at = path.dirname(at);
  }
  const around = path.dirname(file);
  if (['bin', 'sbin'].includes(path.basename(around)) && !isBroad(path.dirname(around)))
    return path.dirname(around);
  return isBroad(around) ? file : around;
}

/** Packages of npm need those beside them. */
function nodeModulesOf(target: string): string | undefined {
  return /^(.*?\/node_modules)(?:\/|$)/.exec(target)?.[1];
}

const broad = [
  '/',
  '/etc',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/root',
  '/run',
  '/srv',
  '/tmp',
  '/var',
  '/var/tmp',
];

/** Holds more than one program: homes, and what is above them. */
function isBroad(directory: string): boolean {
  const home = homedir();
  return (
    broad.includes(directory) ||
    /^\/home\/[^/]+$/.test(directory) ||
    isBelow(home, directory) ||
    directory === path.join(home, '.local')
  );
}
