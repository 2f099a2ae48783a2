// The PostgreSQL programs that the tests start a throw-away server with.
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installPackage } from './debian.mjs';
import { capture, Refusal } from './launch.mjs';

const debianFolder = '/usr/lib/postgresql';
const byHand =
  'install PostgreSQL 15 or newer (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), ' +
  'or name a server that the tests may use in TOOLGATE_TEST_DATABASE_URL';

/**
 * Makes sure that the tests find a PostgreSQL: an own server's URL, installed programs, or Debian's packages
 * where this user may install them.
 * @param {import('./launch.mjs').Progress} progress
 */
export async function ensurePostgres(progress) {
  const label = 'PostgreSQL for the tests';
  if (process.env['TOOLGATE_TEST_DATABASE_URL'] || (await isInstalled())) progress.ready(label);
  else await progress.work(label, install);
}

async function isInstalled() {
  const { code, output } = await capture('pg_config', ['--bindir']).catch(() => ({ code: 1, output: '' }));
  const folders = [...debianFolders(), ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean)];
  if (code === 0) folders.push(output.trim());
  return folders.some((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

function debianFolders() {
  if (!existsSync(debianFolder)) return [];
  return readdirSync(debianFolder).map((version) => join(debianFolder, version, 'bin'));
}

async function install() {
  const before = clusters();
  const asRoot = await installPackage('postgresql', { what: 'PostgreSQL', byHand });
  // The package makes and starts a server of its own. The tests do not use it, so it need not run.
  for (const version of clusters().filter((cluster) => !before.includes(cluster))) {
    await capture('env', [...asRoot, 'pg_ctlcluster', version, 'main', 'stop']);
  }
  if (!(await isInstalled()))
    throw new Refusal(`The system's PostgreSQL package brought no server: ${byHand}.`);
}

/** Versions that have a server set up by Debian's package. */
function clusters() {
  const folder = '/etc/postgresql';
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((version) => existsSync(join(folder, version, 'main')));
}
