import { existsSync } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isBelow } from '../containment/packages.ts';
import { binOf, manifest } from '../installed-package.ts';
import type { AskedPackage, Fetcher } from './asked-package.ts';

/** What puts packages of one kind into a directory. */
export interface Recipe {
  /** The program that does it, which is looked for where commands are. */
  readonly installer: string;
  /** `files` is the directory; everything that is not written there is thrown away. */
  install(asked: AskedPackage, files: string): Installation;
  /** The program that the fetcher would run, below `files`; undefined: nobody can say. */
  program(asked: AskedPackage, files: string): Promise<string | undefined>;
  /** What the package cannot be used with when it is another, e.g. the binary interface of its runtime. */
  readonly madeFor: string;
  /** Is everything still there that it uses and that does not belong to it? */
  isSound(program: string): boolean;
}

export interface Installation {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Of a process's own; gone when it ends. */
const scratch = '/tmp';
const largestManifest = 1024 * 1024;

/** The same as npx does: a prefix of its own, with install scripts, and its programs beside it. */
const npm: Recipe = {
  installer: 'npm',
  install: ({ spec }, files) => ({
    args: [
      ...['install', '--prefix', files, '--no-save', '--no-package-lock', '--no-audit', '--no-fund'],
      ...['--no-update-notifier', '--loglevel=error', '--', spec],
    ],
    env: { npm_config_cache: `${scratch}/npm`, npm_config_logs_max: '0' },
  }),
  async program({ name, bin }, files) {
    const modules = path.join(files, 'node_modules');
    const found = await ownText(path.join(modules, name, 'package.json'), files);
    const parsed = found === undefined ? undefined : manifest.safeParse(jsonOf(found)).data;
    const chosen = bin ?? (parsed && binOf(parsed));
    return chosen === undefined ? undefined : there(path.join(modules, '.bin', path.basename(chosen)), files);
  },
  madeFor: `${process.platform} ${process.arch} ${process.versions.modules}`,
  isSound: () => true,
};

/** The same as uvx does: an environment of its own, and a Python of its own where the system has none that fits. */
const uv: Recipe = {
  installer: 'uv',
  install: ({ spec }, files) => ({
    args: ['tool', 'install', '--compile-bytecode', '--quiet', '--', spec],
    env: {
      UV_TOOL_DIR: path.join(files, 'tools'),
      UV_TOOL_BIN_DIR: path.join(files, 'bin'),
      UV_PYTHON_INSTALL_DIR: path.join(files, 'python'),
      UV_CACHE_DIR: `${scratch}/uv`,
      UV_LINK_MODE: 'copy',
    },
  }),
  async program({ name, bin = name }, files) {
    const tools = path.join(files, 'tools');
    const entries = await readdir(tools, { withFileTypes: true }).catch(() => []);
    const tool = entries.find((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
    return tool && there(path.join(tools, tool.name, 'bin', path.basename(bin)), files);
  },
  madeFor: `${process.platform} ${process.arch}`,
  // It is a link to the Python of the system, of which an upgrade may have made another.
  isSound: (program) => existsSync(path.join(path.dirname(program), 'python')),
};

export const recipes: Readonly<Record<Fetcher, Recipe>> = { npx: npm, uvx: uv };

/** The file itself, if it really lies in there: a package may have put links anywhere. */
async function there(file: string, files: string): Promise<string | undefined> {
  const around = await realpath(path.dirname(file)).catch(() => undefined);
  return around !== undefined && isBelow(around, files) && existsSync(file) ? file : undefined;
}

/** What a file says that really lies in there; a package may have put a link to a device in its place. */
async function ownText(file: string, files: string): Promise<string | undefined> {
  const real = await realpath(file).catch(() => undefined);
  if (real === undefined || !isBelow(real, files)) return undefined;
  const found = await stat(real);
  return found.isFile() && found.size <= largestManifest ? readFile(real, 'utf8') : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The schema says what it should have been.
  }
}
