import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { onParentGone } from './parent-pipe.ts';

const child = `
  import { onParentGone } from ${JSON.stringify(new URL('parent-pipe.ts', import.meta.url).href)};
  onParentGone(process.env, () => { console.log('gone'); process.exit(7); });
  console.log(process.env.TOOLGATE_PARENT_PIPE ?? 'hidden');
  if (process.argv[1] === 'stay') setTimeout(() => {}, 60000);
`;

function start(pipe: string, ...args: string[]) {
  return spawn(process.execPath, ['--input-type=module', '-e', child, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    env: { ...process.env, TOOLGATE_PARENT_PIPE: pipe },
  });
}

test('the end of the pipe is the end of the parent, and no child inherits the number', async () => {
  const process = start('3', 'stay');
  const [said] = await once(process.stdout!, 'data');
  expect(String(said)).toBe('hidden\n');
  const pipe = process.stdio[3];
  if (!pipe || !('destroy' in pipe)) throw new Error('no pipe');
  pipe.destroy();
  expect(await once(process, 'exit')).toEqual([7, null]);
});

test('the pipe alone keeps no process running', async () => {
  const process = start('3');
  expect(await once(process, 'exit')).toEqual([0, null]);
});

test('an empty variable is none: the standard input is not the parent', async () => {
  // Standard input is /dev/null here, which could not even be opened as a pipe.
  expect(await once(start(''), 'exit')).toEqual([0, null]);
});

test('without the variable, or with one that is no number, nothing happens', () => {
  for (const env of [{}, { TOOLGATE_PARENT_PIPE: 'x' }]) {
    onParentGone(env, () => {
      throw new Error('called');
    });
    expect(env).toEqual({});
  }
});
