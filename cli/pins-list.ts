import { Command, Option } from 'commander';
import type { z } from 'zod';
import { api, pinStatus, type pinView } from '../src/catalog/contract.ts';
import { connect } from './call.ts';
import { plain, table, type Terminal } from './terminal.ts';

type Pin = z.infer<typeof pinView>;

interface Options {
  server?: string;
  status: z.infer<typeof pinStatus>;
}

export function pinsListCommand(terminal: Terminal): Command {
  return new Command('list')
    .description('show definitions of tools, newest first, and what changed in them')
    .option('--server <id>', 'only those of one server')
    .addOption(new Option('--status <status>', 'which').choices(pinStatus.options).default('pending'))
    .action(async (options: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const items: Pin[] = [];
      let version: string | null = null;
      let cursor: string | undefined;
      do {
        const page = await call(api.listPins, { query: { ...options, limit: 50, cursor } });
        items.push(...page.items);
        // Of the first page: what came in while the others were fetched has not been shown.
        version ??= page.version;
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      if (json) return terminal.write(`${JSON.stringify({ items, version }, null, 2)}\n`);
      const heads = ['ID', 'SERVER', 'TOOL', 'STATUS', 'SEEN', 'DECIDED BY'];
      terminal.write(table(heads, items.map(row), 'There are none.'));
      terminal.write(items.map(details).join(''));
      if (version !== null && options.status === 'pending' && items.length > 0)
        terminal.writeError(
          `To accept all of them: toolgate pins accept --server ${options.server} --version ${version}\n`,
        );
    });
}

function row(pin: Pin): string[] {
  const status = pin.status === 'pending' && pin.isNew ? 'pending (new)' : pin.status;
  return [pin.id, pin.server, pin.tool, status, pin.firstSeenAt, pin.decidedBy ?? '-'];
}

/** What there is to read before a decision. */
function details(pin: Pin): string {
  const lines = [
    ...pin.flags.map((flag) => `! ${plain(flag)}`),
    ...pin.changes.flatMap(({ field, before, after }) => [
      `${field}:`,
      ...marked('-', before),
      ...marked('+', after),
    ]),
    ...(pin.isNew && pin.status === 'pending'
      ? ['description:', ...marked('+', pin.definition.description)]
      : []),
  ];
  if (lines.length === 0) return '';
  return `\n${pin.server} ${plain(pin.tool)}  ${pin.id}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function marked(mark: string, text: string | null): string[] {
  return text === null ? [] : text.split('\n').map((line) => `${mark} ${plain(line)}`);
}
