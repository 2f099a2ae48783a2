import { Command } from 'commander';
import { api } from '../src/identity/contract.ts';
import { connect } from './call.ts';
import type { Terminal } from './terminal.ts';

export function tokenRevokeCommand(terminal: Terminal): Command {
  return new Command('revoke')
    .description('make a token worthless')
    .argument('<id>', 'as "toolgate token list" shows it')
    .action(async (id: string, _options: unknown, command: Command) => {
      const { call, json } = connect(command, terminal);
      await call(api.revokeToken, { params: { id } });
      terminal.write(json ? '{}\n' : `Token ${id} is revoked.\n`);
    });
}
