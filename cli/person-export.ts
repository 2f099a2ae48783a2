import { Command } from 'commander';
import { api } from '../src/audit/contract.ts';
import { connect } from './call.ts';
import type { Terminal } from './terminal.ts';

export function personExportCommand(terminal: Terminal): Command {
  return new Command('export')
    .description('write everything that is stored of a person, as JSON')
    .argument('<email>')
    .action(async (email: string, _options: unknown, command: Command) => {
      const { download } = connect(command, terminal);
      for await (const piece of download(api.personalData, { params: { email } })) terminal.write(piece);
    });
}
