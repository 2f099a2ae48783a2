import { Command } from 'commander';
import { connect } from './call.ts';
import { ofOwner, type OwnerOptions, removeKey, wordsFor } from './key-owner.ts';
import type { Terminal } from './terminal.ts';

export function credentialsRemoveCommand(terminal: Terminal): Command {
  return ofOwner(new Command('remove'))
    .description('remove a key; calls then use the next one that applies, or are refused')
    .argument('<server>', 'id of the server')
    .option('--name <name>', 'which of its keys', 'default')
    .action(async (server: string, options: OwnerOptions & { name: string }, command: Command) => {
      const { call, json } = connect(command, terminal);
      await removeKey(call, options, { server, name: options.name });
      const said = `The key "${options.name}" of ${server} is removed for ${wordsFor(options)}.\n`;
      terminal.write(json ? `${JSON.stringify({ ok: true })}\n` : said);
    });
}
