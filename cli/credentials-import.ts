import { Command, Option } from 'commander';
import type { z } from 'zod';
import { api, type importAnswer, importFormat } from '../src/secrets/contract.ts';
import { connect } from './call.ts';
import { readText } from './read-text.ts';
import { CallError, plain, table, type Terminal } from './terminal.ts';

interface Options {
  readonly tenant?: string;
  readonly format?: z.infer<typeof importFormat>;
  readonly dryRun?: true;
  readonly skipErrors?: true;
  readonly yes?: true;
}

type Answer = z.infer<typeof importAnswer>;

export function credentialsImportCommand(terminal: Terminal): Command {
  return new Command('import')
    .description('set many keys from a CSV or a .env file: shows what it would do, and asks before it does')
    .argument('<file>', 'CSV with a first line level,owner,tenant,server,name,value; or a .env file')
    .option('--tenant <id>', 'everything in the file is for this tenant')
    .addOption(
      new Option('--format <format>', 'what kind of file it is (default: by its name)').choices(
        importFormat.options,
      ),
    )
    .option('--dry-run', 'show what it would do and store nothing')
    .option('--skip-errors', 'store the good rows where others are wrong')
    .option('--yes', 'do not ask')
    .action(async (file: string, options: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const format = options.format ?? (/\.(?:csv|tsv|txt)$/i.test(file) ? 'csv' : 'env');
      const { tenant, skipErrors } = options;
      const body = { format, text: await readText(file), tenant, allOrNothing: skipErrors !== true };
      const preview = await call(api.importKeys, { body: { ...body, dryRun: true } });
      const isEnd = options.dryRun === true || preview.stored === 0;
      if (!json) terminal.write(shown(preview));
      if (!isEnd) await requireYes(terminal, options, preview.stored);
      const answer = isEnd ? preview : await call(api.importKeys, { body });
      if (json) terminal.write(`${JSON.stringify(answer, null, 2)}\n`);
      if (answer.stored < preview.stored && !isEnd)
        throw new CallError(
          'Meanwhile something changed, and the file does not fit any more; nothing was stored.',
        );
      if (answer.errors > 0 && answer.stored === 0)
        throw new CallError(
          `Nothing is stored, because of ${counted(answer.errors, 'wrong row')}; mend the file, or give --skip-errors.`,
        );
      if (!json)
        terminal.write(
          isEnd
            ? 'Nothing was stored.\n'
            : `Stored ${counted(answer.stored, 'key')}. Delete ${plain(file)}.\n`,
        );
    });
}

async function requireYes({ input }: Terminal, { yes }: Options, count: number): Promise<void> {
  if (yes) return;
  if (!input?.isPerson)
    throw new CallError('There is nobody to ask; look at it with --dry-run, then give --yes.');
  const answer = await input.ask(
    `Store ${counted(count, 'key')}? What is replaced cannot be brought back. [y/N] `,
  );
  if (!/^y(es)?$/i.test(answer.trim())) throw new CallError('Nothing was stored.');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function shown({ rows }: Answer): string {
  const cells = rows.map((row) => [
    ...[String(row.line), row.action, row.level ?? '', row.owner ?? '', row.tenant ?? ''],
    ...[row.server ?? '', row.name ?? '', row.lastFour],
  ]);
  const heads = ['LINE', 'DOES', 'LEVEL', 'OWNER', 'TENANT', 'SERVER', 'KEY', 'ENDS IN'];
  const notes = rows.flatMap(({ line, action, message }) =>
    message === null ? [] : [action === 'error' || action === 'skip' ? message : `Line ${line}: ${message}`],
  );
  return `${table(heads, cells, 'The file holds nothing.')}${notes.map((note) => `  ${plain(note)}\n`).join('')}`;
}
