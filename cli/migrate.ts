import { Command } from 'commander';
import { runServer } from './run-server.ts';
import type { Outcome, Terminal } from './terminal.ts';

export function migrateCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('migrate')
    .description('bring the database to this version and stop')
    .action(async () => {
      outcome.code = await runServer(['migrate'], terminal);
    });
}
