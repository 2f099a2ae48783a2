import { Command, Option } from 'commander';
import { api } from '../src/identity/contract.ts';
import { connect } from './call.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  user?: string;
  service?: string;
  name?: string;
  tenant?: string;
  expiresAt?: string;
  mayForwardUsers?: 'signed' | 'plain';
}

export function tokenCreateCommand(terminal: Terminal): Command {
  return new Command('create')
    .description('make a token; its value is shown this once')
    .option('--user <email>', 'the person it speaks for')
    .addOption(new Option('--service <name>', 'the program it speaks for').conflicts('user'))
    .option('--name <name>', 'what to call it in lists')
    .option('--tenant <id>', 'bind it to one tenant')
    .option('--expires-at <time>', 'ISO time after which it is refused, e.g. 2027-01-01T00:00:00Z')
    .addOption(
      new Option('--may-forward-users <how>', 'let the service name the user behind it').choices([
        'signed',
        'plain',
      ]),
    )
    .action(async (options: Options, command: Command) => {
      if (options.user === undefined && options.service === undefined) {
        command.error('error: give --user or --service');
      }
      const { call, json } = connect(command, terminal);
      const made = await call(api.createToken, { body: { ...options } });
      terminal.write(json ? `${JSON.stringify(made, null, 2)}\n` : `${made.token}\n`);
      if (!json) terminal.writeError(`Token ${made.id}. Keep it: it cannot be shown again.\n`);
    });
}
