import { Command } from 'commander';
import { connect } from './call.ts';
import { ofOwner, type OwnerOptions, setKey, wordsFor } from './key-owner.ts';
import { readSecret } from './read-text.ts';
import { plain, type Terminal } from './terminal.ts';

export function credentialsSetCommand(terminal: Terminal): Command {
  return ofOwner(new Command('set'))
    .description('set or replace a key: it is asked for, or read from standard input, and never an argument')
    .argument('<server>', 'id of the server')
    .option('--name <name>', 'which of its keys', 'default')
    .action(async (server: string, options: OwnerOptions & { name: string }, command: Command) => {
      const { call, json } = connect(command, terminal);
      const value = await readSecret('-', terminal, `key "${options.name}" of ${server}`);
      const answer = await setKey(call, options, { server, name: options.name }, value);
      if (json) return terminal.write(`${JSON.stringify(answer, null, 2)}\n`);
      terminal.write(`The key "${options.name}" of ${server} is set for ${wordsFor(options)}.\n`);
      for (const warning of answer.warnings) terminal.writeError(`Note: ${plain(warning)}\n`);
    });
}
