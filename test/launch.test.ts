import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const launch = fileURLToPath(new URL('../scripts/launch.mjs', import.meta.url));

test.skipIf(process.platform === 'win32')(
  'what npm started ends when only its shell is told to end',
  async () => {
    const inner = `process.stdout.write('up'); setInterval(() => undefined, 1_000)`;
    const outer = `import { runUnder } from ${JSON.stringify(launch)};
    await runUnder(process.execPath, ['-e', ${JSON.stringify(inner)}]);`;
    // The second command keeps the shell from becoming the first one.
    const shell = spawn('sh', ['-c', '"$0" --input-type=module -e "$1"; true', process.execPath, outer], {
      env: { ...process.env, npm_lifecycle_event: 'start' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(String((await once(shell.stdout, 'data'))[0])).toBe('up');
    shell.kill('SIGTERM');
    // The pipe closes when the last process that holds it has ended.
    await once(shell.stdout, 'close');
  },
);
