import { describe, expect, test } from 'vitest';
import { allowedCommand, commandsIn, isSameCommand, type Wanted } from './allowed-commands.ts';
import { fits } from './fits.ts';
import { isExactlyPinned } from './pinned-commands.ts';

test.each([
  ['plain', 'plain', true],
  ['plain', 'plainer', false],
  ['${credential}', '', true],
  ['${credential}', 'anything ${env:X} at all', true],
  ['--key=${credential}', '--key=s3cret', true],
  ['--key=${credential}', '--Key=s3cret', false],
  ['--key=${credential}', '--key', false],
  ['${variable:host}:${variable:port}', 'db:5432', true],
  ['${variable:host}:${variable:port}', 'db', false],
  ['a${env:X}b${env:Y}c', 'abc', true],
  ['a${env:X}b${env:Y}c', 'a-b-c', true],
  ['a${env:X}b${env:Y}c', 'ac', false],
  ['ab${env:X}ba', 'aba', false],
  ['${credential.basic:user:pass}', 'dTpw', true],
  ['$${env:X}', '${env:X}', true],
  ['$${env:X}', 'other', false],
  ['${unknown:X}', 'other', false],
  ['${HOME}', '/root', false],
  ['${dataDir}/x', '${dataDir}/x', true],
  ['${dataDir}/x', '/etc/x', false],
])('%s and "%s": %s', (template, text, expected) => {
  expect(fits(text, template)).toBe(expected);
});

const file = `{
  // As every client writes it.
  "mcpServers": {
    "files": { "command": "mcp-server-filesystem", "args": ["./demo", "\${credential}"] },
    "keyed": { "command": "node", "args": ["server.js"], "env": { "KEY": "\${credential}", "MODE": "ro" }, "cwd": "srv" },
    "moved": { "command": "\${env:TOOL}", "cwd": "\${env:ROOT}/x" },
    "remote": { "url": "https://mcp.acme.com" },
    "Tool_Zoo": { "command": "zoo" },
    "wrong": { "command": "sh", "argz": [] },
  },
}`;
const commands = commandsIn(file, '/etc/toolgate') ?? new Map();

function wanted(server: string, more: Partial<Wanted> = {}): Wanted {
  const { command = '', args = [], env = {} } = commands.get(server) ?? {};
  return { server, command, args, env, cwd: '/elsewhere', ...more };
}
const allowed = (one: Wanted) => allowedCommand(one, commands, []);

test('of a config file only sound stdio servers are commands, each as it is written', () => {
  expect([...commands.keys()]).toEqual(['files', 'keyed', 'moved', 'tool-zoo']);
  expect(commandsIn('{ not json', '/')).toBeUndefined();
  expect(commandsIn('[]', '/')?.size).toBe(0);
});

describe('what a gate may have started', () => {
  test('the command of the file with its placeholders filled in, in the directory that the file says', () => {
    expect(allowed(wanted('files', { args: ['./demo', 'x'] }))).toMatchObject({ cwd: '/etc/toolgate' });
    expect(allowed(wanted('keyed', { env: { KEY: 'k', MODE: 'ro' } }))).toMatchObject({
      cwd: '/etc/toolgate/srv',
      choosesCwd: true,
    });
  });

  test.each<[string, Wanted]>([
    ['another command', wanted('files', { command: 'sh' })],
    ['another argument', wanted('files', { args: ['/', 'x'] })],
    ['an argument more', wanted('files', { args: ['./demo', 'x', '--shell'] })],
    ['an argument fewer', wanted('files', { args: ['./demo'] })],
    ['the command of another server', { ...wanted('files', { args: ['./demo', 'x'] }), server: 'keyed' }],
    ['a variable more', wanted('keyed', { env: { KEY: 'k', MODE: 'ro', NODE_OPTIONS: '--import=x' } })],
    ['another variable instead', wanted('keyed', { env: { KEY: 'k', LD_PRELOAD: 'ro' } })],
    ['a variable fewer', wanted('keyed', { env: { KEY: 'k' } })],
    ['another value', wanted('keyed', { env: { KEY: 'k', MODE: 'rw' } })],
    ['a name that every object has', wanted('keyed', { env: { KEY: 'k', constructor: 'x' } })],
    ['a server that is not in the file', wanted('nowhere', { command: 'sh', args: ['-c', 'id'] })],
    ['an entry that is wrong', wanted('wrong', { command: 'sh' })],
    ['a directory that the template does not fit', wanted('moved', { command: 'x', cwd: '/srv/y' })],
  ])('never %s', (_what, one) => {
    expect(allowed(one)).toBeUndefined();
  });

  test('a directory from the environment of the gate is taken as it says', () => {
    expect(allowed(wanted('moved', { command: 'tool', cwd: '/srv/x' }))?.cwd).toBe('/srv/x');
  });
});

test.each([
  [true, 'npx', ['-y', '@scope/server@1.2.3', '${variable:path}']],
  [true, 'npx', ['-y', '--package=server@1.2.3', 'bin']],
  [true, 'uvx', ['server==1.2']],
  [true, 'uvx', ['--from', 'server[extra]==1.2.3rc1', 'bin']],
  [true, 'docker', ['run', '-i', '--rm', '-e', 'KEY', 'ghcr.io/x/y:1.2.3']],
  [true, 'docker', ['run', '-i', `localhost:5000/x@sha256:${'a'.repeat(64)}`]],
  [false, 'npx', ['-y', 'server']],
  [false, 'npx', ['-y', 'server@latest']],
  [false, 'npx', ['-y', 'server@^1.2.3']],
  [false, 'npx', ['-c', 'sh', 'server@1.2.3']],
  [false, 'npx', ['--node-options=--import=x', 'server@1.2.3']],
  [false, 'npx', ['git+https://evil.org/x.git#1.2.3']],
  [false, 'npx', ['server@npm:evil@1.2.3']],
  [false, 'uvx', ['--index-url', 'http://evil.org', 'server==1.2']],
  [false, 'uvx', ['server']],
  [false, 'docker', ['run', '-v', '/:/host', 'x:1.2.3']],
  [false, 'docker', ['run', '--privileged', 'x:1.2.3']],
  [false, 'docker', ['run', 'x:latest']],
  [false, 'docker', ['exec', 'x:1.2.3']],
  [false, 'sh', ['-c', 'server@1.2.3']],
  [false, 'npx', []],
])('pinned %s: %s %j', (expected, command, args) => {
  expect(isExactlyPinned({ command, args })).toBe(expected);
});

describe('commands of the catalog', () => {
  const pinned = [
    {
      command: 'npx',
      args: ['-y', 'srv@${variable:version}', '${variable:dir}'],
      env: { KEY: '${credential}' },
    },
  ];
  const of = (more: Partial<Wanted>) =>
    allowedCommand({ server: 'any', command: 'npx', args: [], env: {}, cwd: '/', ...more }, commands, pinned);

  test('are started for any server, with or without what is optional, and in a directory of their own', () => {
    expect(of({ args: ['-y', 'srv@1.2.3', '/data'], env: { KEY: 'k' } })).toMatchObject({
      origin: 'catalog',
      cwd: null,
    });
    expect(of({ args: ['-y', 'srv@1.2.3', 'x'] })).toBeDefined();
  });

  test.each<[string, Partial<Wanted>]>([
    ['a version that is none', { args: ['-y', 'srv@latest', 'x'] }],
    ['another package', { args: ['-y', 'evil@1.2.3', 'x'] }],
    ['a value that is another option', { args: ['-y', 'srv@1.2.3', '--eval=x'] }],
    ['a variable more', { args: ['-y', 'srv@1.2.3', 'x'], env: { NODE_OPTIONS: 'x' } }],
    ['an argument more', { args: ['-y', 'srv@1.2.3', 'x', 'y'] }],
  ])('never with %s', (_what, more) => {
    expect(of(more)).toBeUndefined();
  });
});

describe('what the gate itself takes from the database', () => {
  const written = { command: 'npx', args: ['srv', '${credential}'], env: { A: 'b' }, cwd: undefined };

  test('exactly what the operator wrote, whatever else about the server has changed', () => {
    expect(isSameCommand({ ...written }, written)).toBe(true);
    expect(isSameCommand({ ...written, env: { A: 'b' } }, { ...written })).toBe(true);
  });

  test.each<[string, object]>([
    ['a command', { command: 'sh' }],
    ['an argument', { args: ['srv', 'x'] }],
    ['a variable', { env: { A: 'b', NODE_OPTIONS: 'x' } }],
    ['a directory', { cwd: '/tmp' }],
  ])('nothing with another %s', (_what, change) => {
    expect(isSameCommand({ ...written, ...change }, written)).toBe(false);
  });
});
