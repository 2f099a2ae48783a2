import { Command } from 'commander';
import { CallError, connect } from './call.ts';
import { ofOwner, type OwnerOptions, setKey, wordsFor } from './key-owner.ts';
import { plain, type Terminal } from './terminal.ts';

export function credentialsSetCommand(terminal: Terminal): Command {
  return ofOwner(new Command('set'))
    .description('set or replace a key: it is asked for, or read from standard input, and never an argument')
    .argument('<server>', 'id of the server')
    .option('--name <name>', 'which of its keys', 'default')
    .action(async (server: string, options: OwnerOptions & { name: string }, command: Command) => {
      const { call, json } = connect(command, terminal);
      const value = await valueFor(terminal, `Key "${options.name}" of ${server}: `);
      const answer = await setKey(call, options, { server, name: options.name }, value);
      if (json) return terminal.write(`${JSON.stringify(answer, null, 2)}\n`);
      terminal.write(`The key "${options.name}" of ${server} is set for ${wordsFor(options)}.\n`);
      for (const warning of answer.warnings) terminal.writeError(`Note: ${plain(warning)}\n`);
    });
}

/** The line break that an editor or `echo` leaves at the end is none of the key's. */
async function valueFor({ input }: Terminal, question: string): Promise<string> {
  if (!input) throw new CallError('There is nobody to ask for the key, and nothing is piped in.');
  const given = input.isPerson ? await input.askHidden(question) : await input.read();
  const value = given.replace(/\r?\n$/, '');
  if (value === '') throw new CallError('No key was given; nothing was changed.');
  return value;
}
