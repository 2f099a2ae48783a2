// Loaded into Toolgate by a drill (`node --import …`): at SIGUSR2 its wall clock jumps to what TEST_CLOCK_FILE says, in
// milliseconds beside the true time. The steady clock (`performance.now`, timers) does not, as with a real jump.
import { readFileSync } from 'node:fs';

let shift = 0;

globalThis.Date = new Proxy(Date, {
  construct: (date, given: unknown[], made) =>
    Reflect.construct(date, given.length === 0 ? [date.now() + shift] : given, made) as Date,
  get: (date, name) => (name === 'now' ? () => date.now() + shift : (Reflect.get(date, name) as unknown)),
});

process.on('SIGUSR2', () => {
  shift = Number(readFileSync(process.env['TEST_CLOCK_FILE'] ?? '', 'utf8'));
  process.stderr.write(`\nclock ${shift}\n`);
});
