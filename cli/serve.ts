import { Command } from 'commander';
import { runServer } from './run-server.ts';
import type { Outcome, Terminal } from './terminal.ts';

export function serveCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('serve').description('run Toolgate').action(async () => {
    outcome.code = await runServer(['serve'], terminal);
  });
}
