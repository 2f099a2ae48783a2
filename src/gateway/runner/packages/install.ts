import { chown, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LastWords } from '../../connectors/last-words.ts';
import { launchContained, type Order, type Site } from '../containment/launch.ts';
import { userFor } from '../containment/other-user.ts';
import { authorityFiles } from '../containment/passed-on.ts';
import { viewOf } from '../containment/view.ts';
import type { Ground } from '../ground.ts';
import type { Limits } from '../limits.ts';
import { removeTree } from '../remove-tree.ts';
import type { AskedPackage } from './asked-package.ts';
import { closeTree } from './close-tree.ts';
import { recipes } from './recipes.ts';

/** A package that is to be put into a directory. */
export interface InstallJob {
  readonly id: string;
  readonly asked: AskedPackage;
  /** For everything about it: only what is in `files` stays. */
  readonly around: string;
  readonly files: string;
  /** What the operator has written into a `.npmrc` beside the config file. */
  readonly npmrc: string | undefined;
  readonly signal: AbortSignal;
}

const limits: Limits = {
  ...{ memoryMb: 2_048, cpus: 2, processes: 500, openFiles: 4_096, diskMb: 2_048 },
  network: 'full',
};
/** In milliseconds. */
const longest = 600_000;

/**
 * Puts a package into its directory, which is not there yet: in a process with no tenant's keys, which sees nothing of
 * anybody and writes nowhere else, because installing a package may run what is in it. Returns what it takes of the
 * disk, in bytes. Throws with what the installer said.
 */
export async function install(job: InstallJob, ground: Ground, site: Site): Promise<number> {
  const { asked, around, files, id } = job;
  const user = site.system.user && userFor(site.system.user, path.basename(around));
  const own = async (file: string) => user && chown(file, user.uid, user.gid);
  const directories = {
    home: files,
    temporary: path.join(around, 'tmp'),
    sharedMemory: path.join(around, 'shm'),
  };
  const home = path.join(files, 'home');
  for (const directory of [...Object.values(directories), home]) {
    await mkdir(directory, { mode: 0o700 });
    await own(directory);
  }
  const { installer, install: howTo } = recipes[asked.fetcher];
  const { args, env } = howTo(asked, files);
  const config: Record<string, string> = {};
  if (job.npmrc !== undefined) {
    const file = path.join(directories.temporary, 'npmrc');
    await writeFile(file, job.npmrc, { mode: 0o600 });
    await own(file);
    config['npm_config_userconfig'] = '/tmp/npmrc';
  }
  const view = await viewOf({
    ...{ command: installer, cwd: files, named: [], writes: [], ...directories },
    reads: authorityFiles(process.env),
    ...{ searched: ground.searched, hidden: ground.hidden, packages: [] },
  });
  await run(
    {
      ...{ id, limits, user, view, directories, searched: ground.searched },
      ...{ command: installer, args, cwd: files, env: { ...env, ...config, HOME: home } },
    },
    site,
    AbortSignal.any([job.signal, AbortSignal.timeout(longest)]),
  );
  return settle(job, home, site);
}

/** Leaves what can be everybody's, closed. */
async function settle({ asked, files }: InstallJob, home: string, { log }: Site): Promise<number> {
  const bytes = await closeTree(files);
  if (await isOfNoUse(home)) {
    await removeTree(home);
    return bytes;
  }
  // The program will look for it in the home of whoever runs it, so its owner's fetcher has to put it there.
  log.info({ package: asked.spec }, 'a package keeps files in a home, so every owner fetches it');
  await removeTree(files);
  await mkdir(files, { mode: 0o755 });
  return 0;
}

/** Nothing is in there but what npm and node-gyp keep from one installation to the next. Links are not followed. */
async function isOfNoUse(home: string): Promise<boolean> {
  const names = async (directory: string) => readdir(directory, { withFileTypes: true });
  const itself = (await names(path.dirname(home))).find(({ name }) => name === path.basename(home));
  if (!itself?.isDirectory()) return itself === undefined;
  const kept = (await names(home)).filter(({ name }) => name !== '.npm');
  if (!kept.every((one) => one.name === '.cache' && one.isDirectory())) return false;
  const cached = kept.length === 0 ? [] : await names(path.join(home, '.cache'));
  return cached.every(({ name }) => name === 'node-gyp');
}

/** Until it has ended and nothing of it is left. Throws with the end of what it printed. */
async function run(order: Order, site: Site, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const contained = launchContained(order, site);
  const { child } = contained;
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve).once('error', () => resolve(null));
  });
  const closed = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
  const words = [child.stderr, child.stdout].map((stream) => new LastWords(stream, []));
  child.stdin.on('error', () => undefined).end();
  const end = () => contained.signal('SIGKILL');
  signal.addEventListener('abort', end);
  const code = await ended;
  signal.removeEventListener('abort', end);
  end();
  await Promise.all([contained.cleared, closed]);
  signal.throwIfAborted();
  const over = contained.reason();
  const said = words.map((one) => one.text().trim()).find(Boolean);
  if (over !== undefined) throw new Error(`The installer ${over}.`);
  if (code !== 0) throw new Error(said ?? `The installer ended with code ${code}.`);
}
