#!/usr/bin/env node
// The `toolgate` command on any Node from 20: whatever is missing is installed, then the command line runs.
import { join } from 'node:path';
import { createProgress, program, runUnder } from '../scripts/launch.mjs';
import { ensureDependencies, ensureRuntime, projectRoot } from '../scripts/runtime.mjs';

await program(async () => {
  const progress = createProgress(2, { quiet: true });
  const node = await ensureRuntime(progress);
  await ensureDependencies({ dev: false }, progress);
  if (node !== process.execPath) {
    return runUnder(node, [join(projectRoot, 'cli', 'main.ts'), ...process.argv.slice(2)]);
  }
  const [{ run }, { processTerminal }] = await Promise.all([
    import('../cli/main.ts'),
    import('../cli/process-terminal.ts'),
  ]);
  return run(process.argv.slice(2), processTerminal());
});
