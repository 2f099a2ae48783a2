// `node scripts/run.mjs <file.ts> [arguments]`: runs a TypeScript file of this project, development tools at hand.
import { createProgress, program, Refusal, runUnder } from './launch.mjs';
import { ensureDependencies, ensureRuntime } from './runtime.mjs';

await program(async () => {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined)
    throw new Refusal('Name the file to run: node scripts/run.mjs <file.ts> [arguments].');
  const progress = createProgress(2, { quiet: true });
  const node = await ensureRuntime(progress);
  await ensureDependencies({ dev: true }, progress);
  return runUnder(node, [file, ...args]);
});
