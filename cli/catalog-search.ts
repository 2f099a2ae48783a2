import { Command, Option } from 'commander';
import type { z } from 'zod';
import { api, authKind, transportType } from '../src/catalog/contract.ts';
import { connect } from './call.ts';
import { plain, table, type Terminal } from './terminal.ts';

interface Options {
  readonly category?: string;
  readonly auth?: z.infer<typeof authKind>;
  readonly transport?: z.infer<typeof transportType>;
  readonly installed?: true;
  readonly limit: string;
}

export function catalogSearchCommand(terminal: Terminal): Command {
  return new Command('search')
    .description('find servers that can be installed; without words all of them, by name')
    .argument('[words...]', 'what it is called, or what it is good for')
    .option('--category <category>', 'only of this category, e.g. database')
    .addOption(new Option('--auth <kind>', 'only with this kind of signing in').choices(authKind.options))
    .addOption(new Option('--transport <type>', 'only reached this way').choices(transportType.options))
    .option('--installed', 'only what was installed already')
    .option('--limit <n>', 'at most this many', '25')
    .action(async (words: string[], { limit, ...filter }: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const search = words.join(' ');
      const query = { ...filter, limit, ...(search !== '' && { search }) };
      // Booleans of a query are texts.
      const page = await call(api.listCatalog, {
        query: { ...query, installed: filter.installed ? 'true' : undefined },
      });
      if (json) return terminal.write(`${JSON.stringify(page, null, 2)}\n`);
      const rows = page.items.map((item) => [
        item.id,
        plain(item.name),
        item.transports.join(', '),
        item.auth.join(', '),
        item.installedAs.join(', ') || '-',
        shortened(plain(item.description)),
      ]);
      const heads = ['ID', 'NAME', 'REACHED BY', 'SIGNING IN', 'INSTALLED AS', ''];
      terminal.write(table(heads, rows, 'Nothing fits.'));
      if (rows.length === 0 && filter.category !== undefined) {
        const { categories } = await call(api.countCatalog);
        terminal.writeError(`The categories are ${categories.map(({ value }) => value).join(', ')}.\n`);
      }
      if (page.nextCursor !== null)
        terminal.writeError('There are more; narrow the search, or raise --limit.\n');
    });
}

function shortened(text: string): string {
  return text.length > 70 ? `${text.slice(0, 69)}…` : text;
}
