import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { askedPackage } from './asked-package.ts';
import { asksForShared, npmrcBeside } from './asks-for-shared.ts';
import { temporaryFolder } from '../../../../test/temporary-folder.ts';

const shown = (command: string, args: readonly string[]) => {
  const asked = askedPackage({ command, args });
  return asked && [asked.spec, asked.bin, ...asked.rest];
};

test.each<[string, readonly string[], readonly (string | undefined)[]]>([
  ['npx', ['-y', '@acme/tools@1.2.3', '--root', '/srv'], ['@acme/tools@1.2.3', undefined, '--root', '/srv']],
  ['npx', ['--yes', 'tools@1.2.3-rc.1'], ['tools@1.2.3-rc.1', undefined]],
  ['npx', ['tools@1.2.3', '-y', '--', 'x'], ['tools@1.2.3', undefined, '-y', '--', 'x']],
  ['npx', ['-y', '--package=tools@1.2.3', 'other', 'a'], ['tools@1.2.3', 'other', 'a']],
  ['npx', ['-p', 'tools@1.2.3', 'other'], ['tools@1.2.3', 'other']],
  ['uvx', ['tools==1.2', '--x'], ['tools==1.2', undefined, '--x']],
  ['uvx', ['tools@1.2.3rc1'], ['tools==1.2.3rc1', undefined]],
  ['uvx', ['--from', 'tools[http,x]==1.2', 'other'], ['tools[http,x]==1.2', 'other']],
])('%s %j fetches an exact version', (command, args, expected) => {
  expect(shown(command, args)).toEqual(expected);
});

test.each<[string, readonly string[]]>([
  ['npx', ['-y', 'tools']],
  ['npx', ['-y', 'tools@latest']],
  ['npx', ['-y', 'tools@^1.2.3']],
  ['npx', ['-y', 'tools@1']],
  ['npx', ['-y', 'tools@npm:other@1.2.3']],
  ['npx', ['-y', 'https://acme.com/tools@1.2.3']],
  ['npx', ['-y', '../tools@1.2.3']],
  ['npx', ['-y', '-p', 'tools@1.2.3']],
  ['npx', ['-y', '-p', 'tools@1.2.3', '../../../bin/sh']],
  ['npx', ['-y', '-p', 'tools@1.2.3', '-p', 'more@1.2.3', 'x']],
  ['npx', ['-c', 'tools', 'tools@1.2.3']],
  ['npx', ['-y', '--registry=http://acme.com', 'tools@1.2.3']],
  ['npx', []],
  ['uvx', ['tools']],
  ['uvx', ['tools@latest']],
  ['uvx', ['tools>=1.2']],
  ['uvx', ['--with', 'more', 'tools==1.2']],
  ['uvx', ['--from', 'git+https://acme.com/x@1.2', 'x']],
  ['uvx', ['--from', 'tools==1.2', '/bin/sh']],
  ['docker', ['run', '-i', 'acme/tools:1.2.3']],
  ['node', ['tools@1.2.3']],
])('%s %j is run as it stands', (command, args) => {
  expect(shown(command, args)).toBeUndefined();
});

const wish = {
  server: 'x',
  command: 'npx',
  args: ['-y', 'tools@1.2.3'],
  env: {},
  cwd: null,
  mayBeWritten: () => Promise.resolve(false),
};

test.each(['npm_config_registry', 'NPM_TOKEN', 'UV_INDEX', 'PIP_INDEX_URL', 'HTTPS_PROXY', 'HOME', 'PATH'])(
  'a server that sets %s has its packages for itself',
  (name) => {
    expect(asksForShared({ ...wish, env: { KEY: 'k', [name]: 'x' } })).toBeUndefined();
  },
);

test('any other variable is the program’s own business', () => {
  expect(asksForShared({ ...wish, env: { KEY: 'k', NODE_OPTIONS: 'x', UVICORN_PORT: '1' } })).toBeDefined();
});

test('settings of npm count that the operator has put where a command starts', async () => {
  const text = '@acme:registry=https://npm.acme.com/';
  expect(await npmrcBeside({ ...wish, cwd: temporaryFolder({ '.npmrc': text }) })).toEqual({ text });
  expect(await npmrcBeside({ ...wish, cwd: temporaryFolder() })).toBeUndefined();
  expect(await npmrcBeside(wish)).toBeUndefined();
});

test('those that a server could have written are nobody else’s', async () => {
  const cwd = temporaryFolder({ '.npmrc': 'registry=https://npm.acme.com/' });
  const mayBeWritten = (file: string) => Promise.resolve(file === path.join(cwd, '.npmrc'));
  expect(await npmrcBeside({ ...wish, cwd, mayBeWritten })).toBe('own');
});

test.each(['//npm.acme.com/:_authToken=${ACME_TOKEN}', 'cafile = ./ca.pem', '//npm.acme.com/:keyfile=k.pem'])(
  'those that mean something only there are nobody else’s: %s',
  async (line) => {
    const cwd = temporaryFolder({ '.npmrc': `registry=https://npm.acme.com/\n${line}\n` });
    expect(await npmrcBeside({ ...wish, cwd })).toBe('own');
  },
);

test('those that cannot be read are not taken for none', async () => {
  const cwd = temporaryFolder();
  mkdirSync(path.join(cwd, '.npmrc'));
  await expect(npmrcBeside({ ...wish, cwd })).rejects.toThrow('cannot read the .npmrc');
});
