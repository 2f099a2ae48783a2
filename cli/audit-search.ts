import { Command } from 'commander';
import { api } from '../src/audit/contract.ts';
import { connect } from './call.ts';
import { table, type Terminal } from './terminal.ts';

interface Options {
  actor?: string;
  action?: string;
  target?: string;
  from?: string;
  to?: string;
  limit: string;
}

export function auditSearchCommand(terminal: Terminal): Command {
  return new Command('search')
    .description('show changes, newest first')
    .argument('[text]', 'text in actor, action, target, tenant or request id')
    .option('--actor <id>', 'who did it')
    .option('--action <name>', 'such as token.revoke')
    .option('--target <id>', 'what it was done to')
    .option('--from <time>', 'such as 2026-11-01T00:00:00Z')
    .option('--to <time>')
    .option('--limit <count>', 'at most so many, up to 200', '50')
    .action(async (text: string | undefined, { limit, ...rest }: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const query = { ...rest, limit, ...(text === undefined ? {} : { search: text }) };
      const { items } = await call(api.listAudit, { query });
      if (json) return terminal.write(`${JSON.stringify({ items }, null, 2)}\n`);
      const rows = items.map(({ timestamp, actor, action, targetKind, targetId, tenant }) => [
        ...[timestamp.slice(0, 19), actor, action, `${targetKind} ${targetId}`, tenant ?? ''],
      ]);
      terminal.write(table(['TIME', 'WHO', 'WHAT', 'OF', 'TENANT'], rows, 'There is no such record.'));
    });
}
