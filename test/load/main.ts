// Many kinds of clients at once, for long: `npm run test:load [-- --minutes 30] [-- --write]`. What was sent is compared with
// what was recorded, and what is held before with what is held afterwards. `--write` puts the numbers into
// docs/reliability.md. Two minutes are good for a rough look.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, write: { type: 'boolean', default: false } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error('--minutes takes how many minutes to run.');
  process.exit(2);
}
process.env['TOOLGATE_LOAD_MINUTES'] = String(minutes);
if (values.write) process.env['TOOLGATE_LOAD_WRITE'] = 'true';

const vitest = await startVitest('test', [], {
  root: fileURLToPath(new URL('../..', import.meta.url)),
  config: false,
  include: ['test/load/*.load.ts'],
  globalSetup: ['test/postgres.ts'],
  pool: 'forks',
  reporters: ['verbose'],
  testTimeout: (minutes + 20) * 60_000,
  hookTimeout: 120_000,
  watch: false,
});
await vitest.close();
