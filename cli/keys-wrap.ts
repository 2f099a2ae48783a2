import { Command } from 'commander';
import { runServer } from './run-server.ts';
import type { Outcome, Terminal } from './terminal.ts';

export function keysWrapCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('wrap')
    .description('make a master key that a key store wraps; prints an entry for TOOLGATE_MASTER_KEY')
    .argument('<place>', 'azure:https://<vault>.vault.azure.net/keys/<name>/<version>')
    .action(async (place: string) => {
      outcome.code = await runServer(['wrap-key', place], terminal);
    });
}
