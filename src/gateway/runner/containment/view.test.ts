import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../../test/temporary-folder.ts';
import { namedPaths } from './named-paths.ts';
import { packageOf } from './packages.ts';
import { bubblewrapArgs, type ViewOrder, viewOf } from './view.ts';

const folder = temporaryFolder({
  'project/mcp-servers.json': '{}',
  'project/.env': 'SECRET=1',
  'project/demo/a.txt': 'a',
  'project/data/master.key': 'k',
  'project/data/notes.jsonl': '',
  'project/data/runner/x/home/': '',
  'tools/package.json': '{}',
  'tools/dist/server.js': '',
  'lonely/server.py': '',
  'app/node_modules/.bin/tool': '#!/usr/bin/env node\n',
  'app/node_modules/dep/index.js': '',
  'real/docs/': '',
});
const at = (...parts: string[]) => path.join(folder, ...parts);
symlinkSync(at('real'), at('link'));

const project = at('project');
const home = at('project', 'data', 'runner', 'x', 'home');
const order: ViewOrder = {
  ...{ command: 'tool', cwd: project, named: [], reads: [], writes: [], packages: [], home },
  ...{ temporary: at('t'), sharedMemory: at('s'), searched: [at('app/node_modules/.bin')] },
  hidden: [at('project/data'), at('project/mcp-servers.json'), at('project/.env'), at('nowhere/key')],
};

/** What is shown below the folder of the test. */
async function shown(more: Partial<ViewOrder> = {}): Promise<Record<string, string>> {
  const view = await viewOf({ ...order, ...more });
  const own = view.filter((one) => one.at.startsWith(folder));
  return Object.fromEntries(own.map((one) => [path.relative(folder, one.at), one.how]));
}
const named = (args: readonly string[], cwd = project) =>
  namedPaths({ args: args.map((arg) => [arg, arg]), env: [], cwd });

test('a process sees where it starts and what it needs, and of the gate’s only what is its own', async () => {
  expect(await shown()).toEqual({
    'app/node_modules': 'read',
    project: 'read',
    'project/.env': 'hidden-file',
    'project/data': 'hidden-directory',
    'project/data/runner/x/home': 'write',
    'project/mcp-servers.json': 'hidden-file',
  });
});

test('what the definition names it may work on; a program is only read, with its package', async () => {
  const found = await named([
    './demo',
    '../tools/dist/server.js',
    '--flag',
    `--root=${at('real/docs')}`,
    'absent',
  ]);
  expect(await shown({ named: found })).toMatchObject({
    'project/demo': 'write',
    tools: 'read',
    'real/docs': 'write',
  });
});

test('a path that is a link leads where it really is, from inside and from outside of what is shown', async () => {
  expect(await shown({ named: await named([at('link/docs')]) })).toMatchObject({
    'real/docs': 'write',
    'link/docs': 'link',
  });
});

test('naming the gate’s data directory, or what it lies in, shows none of it; a file that was put there is shown', async () => {
  const whole = await shown({ named: await named([at('project/data'), project]) });
  expect(whole).toMatchObject({ project: 'write', 'project/data': 'hidden-directory' });
  const files = await named([at('project/data/notes.jsonl'), at('project/data/master.key')]);
  const withFiles = await shown({ named: files });
  expect(withFiles).toMatchObject({ 'project/data/notes.jsonl': 'write' });
  expect(withFiles).not.toHaveProperty(['project/data/master.key']);
});

test('what lies in a directory that it may write is never followed again: it could be a link by now', async () => {
  const found = await named([project, './demo']);
  expect(await shown({ named: found })).not.toHaveProperty(['project/demo']);
});

test('what the gate hides stays hidden by whatever way it is named', async () => {
  symlinkSync(project, at('way'));
  const found = await shown({ named: await named([at('way')]), hidden: [at('way/data')] });
  expect(found).toMatchObject({ way: 'link', project: 'write', 'project/data': 'hidden-directory' });
});

test('a link that the server may have put where it writes is not followed', async () => {
  const docs = at('real/docs');
  symlinkSync(at('lonely'), path.join(docs, 'sub'));
  const more = { named: await named([docs, path.join(docs, 'sub')]), reads: [path.join(docs, 'sub')] };
  expect(await shown({ ...more, command: path.join(docs, 'sub/server.py') })).not.toHaveProperty(['lonely']);
});

test('the system is never writable, whatever is named', async () => {
  const view = await viewOf({
    ...order,
    named: await named(['/usr', '/etc', '/', '/proc', '/dev']),
    writes: ['/usr/bin'],
  });
  const writable = view.filter((one) => one.how === 'write').map((one) => one.at);
  expect(view.map((one) => one.at)).toContain(project);
  expect(writable.filter((one) => /^\/(usr|etc|proc|dev|bin|lib)?($|\/(?!shm))/.test(one))).toEqual([]);
});

test('further paths are shown as the operator says', async () => {
  expect(await shown({ reads: [at('lonely')], writes: [at('real')] })).toMatchObject({
    lonely: 'read',
    real: 'write',
  });
});

test('a tenant’s value names no path', async () => {
  const found = await namedPaths({
    args: [
      ['${credential}', at('real')],
      ['${variable:dir}', at('lonely')],
      ['${env:DOCS}', at('tools')],
    ],
    env: [['${credential}', at('real')]],
    cwd: project,
  });
  expect(found.map((one) => one.path)).toEqual([at('tools')]);
});

test('packages: the nearest one, never somebody’s home', () => {
  expect(packageOf(at('tools/dist/server.js'))).toBe(at('tools'));
  expect(packageOf(at('app/node_modules/dep/index.js'))).toBe(at('app/node_modules'));
  expect(packageOf(at('lonely/server.py'))).toBe(at('lonely'));
  expect(packageOf('/home/ann/server.py')).toBe('/home/ann/server.py');
  expect(packageOf('/server.py')).toBe('/server.py');
});

test('for bubblewrap, parents come before what is in them, and what holds the rest is closed at last', async () => {
  const args = bubblewrapArgs(await viewOf(order));
  const place = (...words: string[]) =>
    args.findIndex((_, index) => words.every((word, i) => args[index + i] === word));
  expect(place('--dir', folder)).toBeLessThan(place('--ro-bind', project, project));
  expect(place('--ro-bind', project, project)).toBeLessThan(place('--tmpfs', at('project/data')));
  expect(place('--tmpfs', at('project/data'))).toBeLessThan(place('--bind', home, home));
  expect(args.slice(-6)).toEqual([
    '--remount-ro',
    at('project/data'),
    '--remount-ro',
    '/dev',
    '--remount-ro',
    '/',
  ]);
});
