import { Command, Option } from 'commander';
import { api } from '../src/catalog/contract.ts';
import { connect } from './call.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  server?: string;
  version?: string;
}

export function pinsAcceptCommand(terminal: Terminal): Command {
  return new Command('accept')
    .description('accept one definition of a tool, or all that wait for a server')
    .argument('[id]', 'id of the pin, as the list shows it')
    .option('--server <id>', 'accept everything that waits for this server')
    .addOption(new Option('--version <version>', 'the version that the list of this server showed'))
    .action(async (id: string | undefined, { server, version }: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const accept = async () => {
        if (id !== undefined && server === undefined) return call(api.acceptPin, { params: { id } });
        if (id === undefined && server !== undefined && version !== undefined)
          return call(api.acceptAllPins, { params: { id: server }, body: { version } });
        return command.error('error: give an id, or --server and --version');
      };
      const answer = await accept();
      const sentence =
        answer.accepted === 1 ? 'Accepted 1 definition.' : `Accepted ${answer.accepted} definitions.`;
      terminal.write(json ? `${JSON.stringify(answer, null, 2)}\n` : `${sentence}\n`);
    });
}
