import { Command } from 'commander';
import { api } from '../src/access/contract.ts';
import { connect } from './call.ts';
import { plain, type Terminal } from './terminal.ts';

export function explainCommand(terminal: Terminal): Command {
  const command = new Command('explain');
  return command
    .description('tell why somebody may or may not use a server or a tool')
    .argument('<user>', 'e-mail address, or service:<name>')
    .argument('<server>', 'id of the server')
    .argument('[tool]', 'name of the tool')
    .option('--tenant <id>', 'as if this tenant were the active one')
    .action(async (user: string, server: string, tool: string | undefined, options: { tenant?: string }) => {
      const { call, json } = connect(command, terminal);
      const query = { user, server, ...(tool === undefined ? {} : { tool }), ...options };
      const answer = await call(api.explain, { query });
      if (json) return terminal.write(`${JSON.stringify(answer, null, 2)}\n`);
      const reasons = answer.reasons.map((reason) => `  - ${plain(reason)}\n`).join('');
      return terminal.write(`${answer.allowed ? 'Allowed' : 'Not allowed'}:\n${reasons}`);
    });
}
