import { Command } from 'commander';
import { masterKeysApi as api } from '../src/secrets/contract.ts';
import { connect } from './call.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  deleteSecrets?: boolean;
  confirm?: string;
}

export function keysRetireCommand(terminal: Terminal): Command {
  return new Command('retire')
    .description('give up a master key that nothing needs; it is never used again')
    .argument('<id>', 'id of the key, as the list shows it')
    .option('--delete-secrets', 'for a key that is lost: delete the secrets that only it opens')
    .option('--confirm <id>', 'the id once more, where secrets would be deleted')
    .action(async (id: string, { deleteSecrets = false, confirm }: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const body = { deleteSecrets, ...(confirm === undefined ? {} : { confirm }) };
      const answer = await call(api.retireMasterKey, { params: { id }, body });
      if (json) return terminal.write(`${JSON.stringify(answer, null, 2)}\n`);
      const deleted = answer.deleted === 0 ? '' : ` ${answer.deleted} secrets were deleted.`;
      terminal.write(
        `The master key ${id} is retired.${deleted} Take it out of the configuration of every process.\n`,
      );
    });
}
