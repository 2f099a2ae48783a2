import { Command } from 'commander';
import { api } from '../src/audit/contract.ts';
import { connect } from './call.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  requests?: true;
  format: string;
  from?: string;
  to?: string;
}

export function auditExportCommand(terminal: Terminal): Command {
  return new Command('export')
    .description('write changes with their places in the chain, or requests, oldest first')
    .option('--requests', 'requests instead of changes')
    .option('--format <format>', 'jsonl or csv', 'jsonl')
    .option('--from <time>', 'such as 2026-11-01T00:00:00Z')
    .option('--to <time>')
    .action(async ({ requests, format, ...span }: Options, command: Command) => {
      const { download } = connect(command, terminal);
      const query = { ...span, format: format === 'csv' ? ('csv' as const) : ('jsonl' as const) };
      if (!['csv', 'jsonl'].includes(format)) return command.error('error: --format is jsonl or csv');
      const text = requests ? download(api.exportAnalytics, { query }) : download(api.exportAudit, { query });
      for await (const piece of text) terminal.write(piece);
    });
}
