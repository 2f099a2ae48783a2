import { Command } from 'commander';
import { runServer } from './run-server.ts';
import type { Outcome, Terminal } from './terminal.ts';

export function migrateCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('migrate')
    .description('bring the database to this version and stop')
    .option('--dry-run', 'tell which migrations would be applied, and apply none')
    .action(async ({ dryRun }: { dryRun?: true }) => {
      outcome.code = await runServer(dryRun ? ['migrate', '--dry-run'] : ['migrate'], terminal);
    });
}
