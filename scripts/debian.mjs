// Packages of the system, installed where this user may do so without being asked.
import { existsSync } from 'node:fs';
import { capture, Refusal } from './launch.mjs';

/**
 * Installs a Debian package and returns what to put before a command so that it runs as root. Throws a Refusal that
 * says how to do it by hand when this user cannot.
 * @param {string} name of the package
 * @param {{ what: string, byHand: string }} words what the tests need, and what to do about it
 */
export async function installPackage(name, { what, byHand }) {
  const asRoot = await rootPrefix();
  if (!asRoot) throw new Refusal(`The tests need ${what}: ${byHand}.`);
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', name]]) {
    const command = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    const { code, output } = await capture('env', command);
    if (code !== 0)
      throw new Refusal(`apt-get ${args[0]} failed, and the tests need ${what}: ${byHand}.`, output);
  }
  return asRoot;
}

/** What to put before a command so that it runs as root without asking; undefined when it cannot, or has no apt. */
async function rootPrefix() {
  if (!existsSync('/usr/bin/apt-get')) return undefined;
  if (process.getuid?.() === 0) return [];
  const sudo = await capture('sudo', ['-n', 'true']).catch(() => ({ code: 1 }));
  return sudo.code === 0 ? ['sudo', '-n'] : undefined;
}
