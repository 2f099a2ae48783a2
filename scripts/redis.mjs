// The Redis (or Valkey) program that the tests start a throw-away server with.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installPackage } from './debian.mjs';
import { capture, Refusal } from './launch.mjs';

const words = {
  what: 'Redis',
  byHand:
    'install Redis 6 or newer, or Valkey (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), ' +
    'or name a server that the tests may use in TOOLGATE_TEST_REDIS_URL',
};

/**
 * Makes sure that the tests find a Redis: an own server's URL, an installed program, or Debian's package where this
 * user may install it.
 * @param {import('./launch.mjs').Progress} progress
 */
export async function ensureRedis(progress) {
  const label = 'Redis for the tests';
  if (process.env['TOOLGATE_TEST_REDIS_URL'] || isInstalled()) progress.ready(label);
  else await progress.work(label, install);
}

function isInstalled() {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), '/usr/bin'];
  return folders.some((folder) =>
    ['redis-server', 'valkey-server'].some((name) => existsSync(join(folder, name))),
  );
}

async function install() {
  const asRoot = await installPackage('redis-server', words);
  // The package starts a server of its own. The tests do not use it, so it need not run.
  await capture('env', [...asRoot, 'service', 'redis-server', 'stop']).catch(() => undefined);
  if (!isInstalled()) throw new Refusal(`The system's Redis package brought no server: ${words.byHand}.`);
}
