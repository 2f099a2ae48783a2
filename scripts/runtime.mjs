// What must be there before the program can run: a Node that runs TypeScript, and the packages of the lockfile.
// Plain JavaScript without dependencies: it runs on Node 20, before anything is installed.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { capture, Refusal } from './launch.mjs';

/** The folder of package.json. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url));

const pinned = '24.21.0';
/** Type stripping without a flag or a warning: since this release. */
const needed = { major: 24, minor: 12 };
const longestInstallMs = 10 * 60_000;
const toolDir = join(projectRoot, '.toolgate');

/** Platforms whose Node is one plain package. The others take `node`, whose install script chooses theirs. */
const platformPackages = ['linux-x64', 'linux-arm64', 'win32-x64'];

/**
 * The path of a Node that runs this project: the running one when it is new enough, else the pinned one from npm,
 * installed once under `.toolgate/runtime`.
 * @param {import('./launch.mjs').Progress} progress
 */
export async function ensureRuntime(progress) {
  if (isNewEnough(process.versions.node)) {
    progress.ready(`Node ${process.versions.node}`);
    return process.execPath;
  }
  const home = join(toolDir, 'runtime', pinned);
  const binary = join(home, runtimeBinary());
  if (existsSync(binary)) progress.ready(`Node ${pinned}`);
  else await progress.work(`Node ${pinned}`, () => exclusively(() => installRuntime(home, binary)));
  return binary;
}

/**
 * Installs the packages of the lockfile unless they are there: those that the program needs, or with `dev` all.
 * @param {{ dev: boolean }} options
 * @param {import('./launch.mjs').Progress} progress
 */
export async function ensureDependencies({ dev }, progress) {
  const label = dev ? 'Packages with development tools' : 'Packages';
  if (isInstalled(dev)) progress.ready(label);
  else await progress.work(label, () => exclusively(() => installDependencies(dev)));
}

/** @param {string} version */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > needed.major || (major === needed.major && minor >= needed.minor);
}

function runtimePackage() {
  const platform = `${process.platform}-${process.arch}`;
  return platformPackages.includes(platform) ? `node-${platform.replace('win32', 'win')}` : 'node';
}

function runtimeBinary() {
  return join('node_modules', runtimePackage(), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/**
 * Beside its final place first: an interrupted installation must not look like a finished one.
 * @param {string} home
 * @param {string} binary
 */
async function installRuntime(home, binary) {
  if (existsSync(binary)) return;
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const scripts = `--ignore-scripts=${runtimePackage() !== 'node'}`;
  await npm(
    ['install', '--prefix', partial, '--no-save', scripts, `${runtimePackage()}@${pinned}`],
    `Node ${pinned}`,
  );
  await assertRuns(join(partial, runtimeBinary()));
  rmSync(home, { recursive: true, force: true });
  renameSync(partial, home);
}

/** @param {string} binary */
async function assertRuns(binary) {
  const { code, output } = await capture(binary, ['--version']).catch((error) => ({
    code: 1,
    output: String(error),
  }));
  if (code === 0) return;
  throw new Refusal(
    `Node ${pinned} from npm does not run on this machine; install Node ${needed.major}.${needed.minor} or newer yourself.`,
    output,
  );
}

/**
 * `npm ci` deletes node_modules first. When only the development tools are missing they are added instead, so that
 * a Toolgate that runs from this folder keeps its files.
 * @param {boolean} dev
 */
async function installDependencies(dev) {
  if (isInstalled(dev)) return;
  const verb = dev && isInstalled(false) ? ['install', '--no-save'] : ['ci'];
  await npm([...verb, '--ignore-scripts', dev ? '--include=dev' : '--omit=dev'], 'the packages');
}

/**
 * Compares the lockfile with the one that npm leaves in node_modules as its last act.
 * @param {boolean} dev
 */
function isInstalled(dev) {
  const wanted = packagesOf(join(projectRoot, 'package-lock.json'));
  if (!wanted)
    throw new Refusal('package-lock.json is missing or is not valid JSON; restore it from the repository.');
  const present = packagesOf(join(projectRoot, 'node_modules', '.package-lock.json'));
  if (!present) return false;
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === '' ||
      entry.optional === true ||
      (!dev && (entry.dev === true || entry.devOptional === true)) ||
      (present[path]?.version === entry.version && present[path]?.integrity === entry.integrity),
  );
}

/** @typedef {{ version?: string, integrity?: string, dev?: boolean, devOptional?: boolean, optional?: boolean }} LockEntry */

/**
 * @param {string} lockfile
 * @returns {Record<string, LockEntry> | undefined} undefined when it is missing or damaged
 */
function packagesOf(lockfile) {
  try {
    return JSON.parse(readFileSync(lockfile, 'utf8')).packages;
  } catch {
    return undefined; // Damaged counts as missing: what it describes is installed again.
  }
}

/**
 * @param {string[]} args
 * @param {string} what it installs, for messages
 */
async function npm(args, what) {
  // npm names its own script to what it runs; called through Node it needs no shell on Windows.
  const script = process.env['npm_execpath'];
  const viaNode = script !== undefined && basename(script) === 'npm-cli.js';
  // By its own defaults npm keeps a person without a network waiting for more than a minute.
  const patience = ['--fetch-retry-mintimeout=2000', '--fetch-retry-maxtimeout=10000'];
  const all = [...args, ...patience, '--no-audit', '--no-fund'];
  const { code, output } = await capture(
    viaNode ? process.execPath : 'npm',
    viaNode ? [script, ...all] : all,
    {
      cwd: projectRoot,
      shell: !viaNode && process.platform === 'win32',
    },
  ).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
    throw new Refusal(
      `npm is needed to install ${what}, and it is not on the PATH; install npm and start again.`,
    );
  });
  if (code !== 0) throw new Refusal(explainNpm(output, what), output);
}

/** What npm prints on a known trouble, and the sentence about it; the first match wins. */
const npmTroubles = /** @type {const} */ ([
  [/ENOSPC/, 'the disk is full; make room and start again'],
  [
    /EACCES|EPERM|EROFS/,
    `${projectRoot} cannot be written; give yourself write access to it and start again`,
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|network/,
    'the npm registry cannot be reached; check the network, or the registry and proxy that npm is told to use',
  ],
  [/EUSAGE/, 'package.json and package-lock.json disagree; run "npm install" once and commit the result'],
  [/E404|ETARGET/, 'the npm registry does not have one of them; check which registry npm is told to use'],
]);

/**
 * @param {string} output
 * @param {string} what
 */
function explainNpm(output, what) {
  const reason = npmTroubles.find(([pattern]) => pattern.test(output))?.[1];
  return `Could not install ${what}: ${reason ?? 'npm failed; what it said is above'}.`;
}

/**
 * Two commands started together must not install into one folder at once: the second waits for the first.
 * @template T
 * @param {() => Promise<T>} work
 */
async function exclusively(work) {
  const lock = join(toolDir, 'install.lock');
  try {
    mkdirSync(toolDir, { recursive: true });
    while (!takeLock(lock)) await sleep(200);
  } catch (error) {
    throw new Refusal(
      `${toolDir} cannot be written (${reasonOf(error)}); give yourself write access to it and start again.`,
    );
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** @param {string} lock a file that holds the id of the process that installs */
function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (reasonOf(error) !== 'EEXIST') throw error;
    if (isAbandoned(lock)) rmSync(lock, { force: true });
    return false;
  }
}

/**
 * Whether whoever took the lock is gone. Age counts as well: after a reboot, or in another container, the process
 * id may be somebody else's.
 * @param {string} lock
 */
function isAbandoned(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > longestInstallMs) return true;
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return false;
  } catch (error) {
    // ESRCH: no such process. ENOENT (given back just now) and EPERM (alive, another user's) are not abandoned.
    return reasonOf(error) === 'ESRCH';
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
