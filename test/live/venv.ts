// Python programs from the machine's package registry, each version in a virtual environment of its own, installed once.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const home =
  process.env['TOOLGATE_LIVE_VENVS'] ?? fileURLToPath(new URL('../../.toolgate/live', import.meta.url));

/**
 * Where the environment's programs are (`bin`), installing it first. `besides` are requirements that the package
 * itself forgot. Throws with what pip said.
 */
export async function pythonPackage(
  name: string,
  version: string,
  ...besides: readonly string[]
): Promise<string> {
  const folder = path.join(home, `${name}-${version}`);
  const bin = path.join(folder, 'bin');
  if ((await installed(bin, name)) === version) return bin;
  await mkdir(home, { recursive: true });
  process.stderr.write(`Installing ${name} ${version} into ${folder} …\n`);
  await quietly(await python(), ['-m', 'venv', folder]);
  await quietly(path.join(bin, 'pip'), ['install', '--quiet', `${name}==${version}`, ...besides]);
  return bin;
}

/** pip writes a package's entry last of all, so an interrupted installation has none. */
async function installed(bin: string, name: string): Promise<string | undefined> {
  const code = 'import sys, importlib.metadata as m; print(m.version(sys.argv[1]))';
  try {
    return (await run(path.join(bin, 'python'), ['-c', code, name])).stdout.trim();
  } catch {
    return undefined; // Not there, or not finished.
  }
}

/** A Python that Open WebUI runs on. TOOLGATE_LIVE_PYTHON names another one. */
async function python(): Promise<string> {
  const wanted = process.env['TOOLGATE_LIVE_PYTHON'];
  const candidates = wanted === undefined ? ['python3.12', 'python3.11', 'python3'] : [wanted];
  for (const candidate of candidates) {
    const version = await run(candidate, ['-c', 'import sys; print(sys.version_info[1])']).catch(
      () => undefined,
    );
    const minor = Number(version?.stdout);
    if (minor === 11 || minor === 12) return candidate;
  }
  throw new Error('These tests need Python 3.11 or 3.12; name one in TOOLGATE_LIVE_PYTHON.');
}

async function quietly(command: string, args: readonly string[]): Promise<void> {
  try {
    await run(command, args, { timeout: 25 * 60_000, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).slice(-2000) : '';
    throw new Error(`${command} ${args.join(' ')} failed:\n${said}`, { cause: error });
  }
}
