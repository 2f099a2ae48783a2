import { Command } from 'commander';
import { api } from '../src/gateway/contract.ts';
import { connect } from './call.ts';
import { plain, type Terminal } from './terminal.ts';

interface Options {
  readonly user?: string;
  readonly tenant?: string;
}

export function credentialsExplainCommand(terminal: Terminal): Command {
  return new Command('explain')
    .description('say which keys of a server a call would use, and why')
    .argument('<server>', 'id of the server')
    .option('--user <email>', 'whose call')
    .option('--tenant <id>', 'for which tenant (default: the one that would be active)')
    .action(async (id: string, options: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const answer = await call(api.explainCredential, { params: { id }, query: options });
      if (json) return terminal.write(`${JSON.stringify(answer, null, 2)}\n`);
      if (answer.problem !== null) return terminal.write(`${plain(answer.problem)}\n`);
      if (answer.names.length === 0) return terminal.write(`${id} asks for no key.\n`);
      for (const { name, reason, ladder } of answer.names) {
        terminal.write(`${name}: ${plain(reason)}\n`);
        for (const { why } of ladder) terminal.write(`  - ${plain(why)}\n`);
      }
    });
}
