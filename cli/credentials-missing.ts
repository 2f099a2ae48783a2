import { Command } from 'commander';
import { api } from '../src/secrets/contract.ts';
import { connect } from './call.ts';
import { table, type Terminal } from './terminal.ts';

const mostNamed = 5;

export function credentialsMissingCommand(terminal: Terminal): Command {
  return new Command('missing')
    .description('show which keys enabled servers ask for and nobody has set')
    .option('--tenant <id>', 'for one tenant alone')
    .action(async (options: { tenant?: string }, command: Command) => {
      const { call, json } = connect(command, terminal);
      const { items } = await call(api.listMissingKeys, { query: options });
      if (json) return terminal.write(`${JSON.stringify({ items }, null, 2)}\n`);
      const rows = items.map(({ server, name, usedIn, tenants, shared, users, groups, granted }) => [
        ...[server, name, usedIn.join(', '), named(tenants, shared), String(users), String(groups)],
        granted ? '' : 'nobody may use it yet',
      ]);
      const heads = ['SERVER', 'KEY', 'USED IN', 'MISSING FOR', 'USERS WITH OWN', 'GROUPS', ''];
      terminal.write(table(heads, rows, 'No key is missing.'));
    });
}

function named(tenants: readonly string[], shared: boolean): string {
  const rest = tenants.length - mostNamed;
  const first = tenants.slice(0, mostNamed).join(', ');
  const some = rest > 0 ? `${first} and ${rest} more` : first;
  if (!shared) return some;
  return some === '' ? 'people without a tenant' : `${some}; people without a tenant`;
}
