import { Command } from 'commander';
import { connect } from './call.ts';
import { listKeys, ofOwner, type OwnerOptions } from './key-owner.ts';
import { table, type Terminal } from './terminal.ts';

export function credentialsListCommand(terminal: Terminal): Command {
  return ofOwner(new Command('list'))
    .description('show keys, masked: the shared ones, or those of one owner')
    .action(async (options: OwnerOptions, command: Command) => {
      const { call, json } = connect(command, terminal);
      const { items } = await listKeys(call, options);
      if (json) return terminal.write(`${JSON.stringify({ items }, null, 2)}\n`);
      const heads = ['SERVER', 'NAME', 'FOR TENANT', 'ENDS IN', 'SET', 'BY', 'LAST USED'];
      const rows = items.map(({ server, name, tenant, lastFour, dormant, ...key }) => [
        ...[server, name, `${tenant ?? 'any'}${dormant ? ' (not the group’s any more)' : ''}`],
        ...[lastFour || '-', key.updatedAt, key.updatedBy, key.lastUsedAt ?? 'never'],
      ]);
      terminal.write(table(heads, rows, 'There are none.'));
    });
}
