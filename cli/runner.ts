import { Command } from 'commander';
import { runServer } from './run-server.ts';
import type { Outcome, Terminal } from './terminal.ts';

export function runnerCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('runner')
    .description('run servers that are processes, for a Toolgate elsewhere (docs/runner.md)')
    .action(async () => {
      outcome.code = await runServer(['runner'], terminal);
    });
}
