import { Command } from 'commander';
import { api } from '../src/admin/contract.ts';
import { connect } from './call.ts';
import { table, type Terminal } from './terminal.ts';

export function applyCommand(terminal: Terminal): Command {
  return new Command('apply')
    .description('have Toolgate read its config file again')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--prune', 'remove what came from the file and is in it no more')
    .action(async (options: { dryRun?: true; prune?: true }, command: Command) => {
      const { call, json } = connect(command, terminal);
      const body = { dryRun: options.dryRun ?? false, prune: options.prune ?? false };
      const { changes } = await call(api.applyConfig, { body });
      if (json) return terminal.write(`${JSON.stringify({ changes }, null, 2)}\n`);
      const rows = changes.map(({ kind, record, id, fields }) => [kind, record, id, fields.join(', ')]);
      terminal.write(table(['CHANGE', 'RECORD', 'ID', 'FIELDS'], rows, 'Nothing to change.'));
      if (!body.prune && changes.some(({ kind }) => kind === 'orphan')) {
        terminal.write('Orphans are in the file no more; --prune removes them.\n');
      }
      if (body.dryRun && rows.length > 0) terminal.write('Nothing was changed: this was a dry run.\n');
    });
}
