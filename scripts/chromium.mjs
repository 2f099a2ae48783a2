// The Chromium that the tests open pages with.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installPackage } from './debian.mjs';
import { Refusal } from './launch.mjs';

const words = {
  what: 'Chromium',
  byHand:
    'install Chromium or Chrome (Debian: apt-get install chromium; macOS: brew install --cask chromium), ' +
    'or name its program in TOOLGATE_TEST_CHROMIUM',
};

/**
 * Makes sure that the tests find a Chromium: the program that was named, an installed one, or Debian's package where
 * this user may install it.
 * @param {import('./launch.mjs').Progress} progress
 */
export async function ensureChromium(progress) {
  const label = 'Chromium for the tests';
  if (chromiumProgram()) progress.ready(label);
  else await progress.work(label, install);
}

/** The program; undefined when there is none. */
export function chromiumProgram() {
  const named = process.env['TOOLGATE_TEST_CHROMIUM'];
  if (named) return named;
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), '/usr/bin'];
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const programs = [
    ...folders.flatMap((folder) => names.map((name) => join(folder, name))),
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ];
  return programs.find((program) => existsSync(program));
}

async function install() {
  await installPackage('chromium', words);
  if (!chromiumProgram())
    throw new Refusal(`The system's Chromium package brought no program: ${words.byHand}.`);
}
