// Tests against real systems: `npm run test:live [name …] [-- --open-webui 0.11.4]`. Each installs what it needs under
// `.toolgate/live`, once. Names are the files beside this one: open-webui, python-clients, mcpo, claude-code, runner.
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const root = fileURLToPath(new URL('../..', import.meta.url));
const names = globSync('*.live.ts', { cwd: import.meta.dirname }).map((file) => file.replace('.live.ts', ''));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'open-webui': { type: 'string', multiple: true } },
});
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`There is no live test of ${unknown.join(', ')}; there are ${names.join(', ')}.`);
  process.exit(2);
}
if (values['open-webui']) process.env['TOOLGATE_LIVE_OPEN_WEBUI'] = values['open-webui'].join(',');

const minute = 60_000;
const chosen = positionals.length === 0 ? names : positionals;
const vitest = await startVitest('test', [], {
  root,
  config: false,
  include: chosen.map((name) => `test/live/${name}.live.ts`),
  pool: 'forks',
  fileParallelism: false,
  reporters: ['verbose'],
  testTimeout: 2 * minute,
  // The first run installs several gigabytes.
  hookTimeout: 30 * minute,
  watch: false,
});
await vitest.close();
