import { Command } from 'commander';
import { api } from '../src/access/contract.ts';
import { connect } from './call.ts';
import { plain, type Terminal } from './terminal.ts';

export function grantCommand(terminal: Terminal): Command {
  return new Command('grant')
    .description('let groups use a server; replaces the grant that they have of it')
    .argument('<server>', 'id of the server')
    .argument('<groups...>', 'names of groups')
    .option('--tools <patterns>', 'only these tools, separated by commas, e.g. get_*,!get_secret', '*')
    .action(async (id: string, groups: string[], options: { tools: string }, command: Command) => {
      const { call, json } = connect(command, terminal);
      const tools = options.tools.split(',').map((pattern) => pattern.trim());
      // Nothing is half done because of a name that is misspelled.
      for (const name of groups) await call(api.getGroup, { params: { name } });
      for (const name of groups)
        await call(api.grantToGroup, { params: { name, server: id }, body: { tools } });
      if (json) return terminal.write(`${JSON.stringify({ server: id, groups, tools }, null, 2)}\n`);
      const what = options.tools === '*' ? 'every tool' : plain(tools.join(', '));
      terminal.write(`Granted to ${plain(groups.join(', '))}: ${what} of ${plain(id)}.\n`);
    });
}
