import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { installedInstead } from './installed-package.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-installed-'));
afterAll(() => rmSync(folder, { recursive: true }));
const binDir = path.join(folder, 'node_modules', '.bin');

function installed(name: string, bin: unknown) {
  const place = path.join(folder, 'node_modules', name);
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, 'package.json'), JSON.stringify({ name, version: '1.2.3', bin }));
}
installed('@acme/tools', { 'acme-tools': 'x.js' });
installed('several', { other: 'x.js', several: 'y.js' });
installed('@acme/single', 'x.js');
installed('broken', 7);

const npx = (...args: string[]) => ({ command: 'npx', args: ['-y', ...args] });

test.each([
  ['its only program', npx('@acme/tools@1.2.3', '--x'), { command: 'acme-tools', args: ['--x'] }],
  ['the one called like it', npx('several@1.2.3'), { command: 'several', args: [] }],
  ['one without a name', npx('@acme/single@1.2.3', 'a'), { command: 'single', args: ['a'] }],
  [
    'the one that is asked for',
    npx('--package=several@1.2.3', 'other', 'a'),
    { command: 'other', args: ['a'] },
  ],
])('of a package that is installed, %s is started', (_, command, expected) => {
  expect(installedInstead(command, [binDir])).toEqual(expected);
});

test.each([
  ['another version', npx('@acme/tools@1.2.4')],
  ['no version', npx('@acme/tools')],
  ['a tag', npx('@acme/tools@latest')],
  ['a package that is not there', npx('nothing@1.2.3')],
  ['a manifest that makes no sense', npx('broken@1.2.3')],
  ['a way out of the folder', npx('../../x@1.2.3')],
  ['another runtime', { command: 'uvx', args: ['-y', '@acme/tools@1.2.3'] }],
  ['another option', { command: 'npx', args: ['--call=sh', '@acme/tools@1.2.3'] }],
])('%s stays as it is', (_, command) => {
  expect(installedInstead(command, [binDir])).toEqual(command);
  expect(installedInstead(npx('@acme/tools@1.2.3'), ['/usr/bin', binDir]).command).toBe('npx');
});
