// `npm start`: whatever is missing is installed, then the server runs; it prints the remaining steps.
import { join } from 'node:path';
import { createProgress, program, runUnder } from './launch.mjs';
import { ensureDependencies, ensureRuntime, projectRoot } from './runtime.mjs';

await program(async () => {
  const progress = createProgress(4);
  const node = await ensureRuntime(progress);
  await ensureDependencies({ dev: false }, progress);
  return runUnder(node, [join(projectRoot, 'src', 'main.ts'), 'serve', ...process.argv.slice(2)]);
});
