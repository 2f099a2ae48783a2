// bubblewrap, which the tests of the runner put hostile servers into. Without it those tests are left out, and say so.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installPackage } from './debian.mjs';
import { Refusal } from './launch.mjs';

const words = {
  what: 'bubblewrap',
  byHand: 'install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap)',
};

/**
 * Installs Debian's package where this user may. Where that cannot be done, the tests pass without it.
 * @param {import('./launch.mjs').Progress} progress
 */
export async function ensureBubblewrap(progress) {
  const label = 'bubblewrap for the tests';
  if (process.platform !== 'linux' || isInstalled()) return progress.ready(label);
  await progress
    .work(label, () => installPackage('bubblewrap', words))
    .catch((error) => {
      if (!(error instanceof Refusal)) throw error;
      process.stderr.write(`Without it some tests of the runner are left out: ${words.byHand}.\n`);
    });
}

function isInstalled() {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), '/usr/bin'];
  return folders.some((folder) => existsSync(join(folder, 'bwrap')));
}
