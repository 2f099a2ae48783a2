import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { api as accessApi } from '../src/access/contract.ts';
import { type Call, connect } from './call.ts';
import { serversIn, withPlan } from './import/edit-config.ts';
import { type Format, formats, type Plan, type PlannedServer } from './import/plan.ts';
import { ImportError, readPlan } from './import/read-plan.ts';
import { FileChanged, replaceFile } from './import/replace-file.ts';
import { setKey } from './key-owner.ts';
import { bytesAt, readText, textIn } from './read-text.ts';
import { CallError, plain, table, type Terminal } from './terminal.ts';

interface Options {
  readonly format?: Format;
  readonly config?: string;
  readonly tenant?: string;
  readonly write?: true;
  readonly keys: boolean;
}

export function importCommand(terminal: Terminal): Command {
  return new Command('import')
    .description(
      'take over servers from the config file of another program; shows what it would do, --write does it',
    )
    .argument(
      '<file>',
      'claude_desktop_config.json, .mcp.json, .vscode/mcp.json, .cursor/mcp.json, config of mcpo, export of MetaMCP, tenants.json',
    )
    .addOption(
      new Option('--format <format>', 'what kind of file it is (default: found out)').choices(formats),
    )
    .option('--config <file>', 'config file to write into (default: TOOLGATE_CONFIG, or mcp-servers.json)')
    .option(
      '--tenant <id>',
      'store the keys that stand in the file for this tenant, instead of for everybody',
    )
    .option('--no-keys', 'leave the keys that stand in the file out')
    .option('--write', 'write the config file and store the keys')
    .action(async (file: string, options: Options, command: Command) => {
      const target = options.config ?? (terminal.env['TOOLGATE_CONFIG'] || 'mcp-servers.json');
      const bytes = await bytesAt(target);
      const before = textIn(bytes ?? Buffer.alloc(0), target);
      const plan = planOf(await readText(file), options.format, before);
      const after = edited(before, plan);
      const { call, json } = connect(command, terminal);
      const say = (text: string) => void (json || terminal.write(text));
      say(report(plan));
      if (options.write) {
        await write(target, bytes, after);
        say(`\nWritten to ${plain(target)}${bytes === null ? ', which you alone may read' : ''}.\n`);
        if (options.keys) await storeKeys(plan, options.tenant, call, terminal);
      } else say(`\nNothing was changed. With --write this goes into ${plain(target)}.\n`);
      if (json) terminal.write(`${JSON.stringify(shown(plan, options), null, 2)}\n`);
    });
}

function planOf(text: string, format: Format | undefined, config: string): Plan {
  return sentence(() => readPlan(text, format, serversIn(config)));
}

function edited(config: string, plan: Plan): string {
  return sentence(() => withPlan(config, plan));
}

function sentence<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ImportError) throw new CallError(error.message, { cause: error });
    throw error;
  }
}

/** Without the keys' values, which nobody needs to see again. */
function shown(plan: Plan, options: Options) {
  return {
    format: plan.format,
    servers: plan.servers.map(({ keys, ...server }) => ({ ...server, keys: keys.map(({ name }) => name) })),
    groups: Object.fromEntries(plan.groups),
    users: Object.fromEntries(plan.users),
    notes: plan.notes,
    written: options.write === true,
  };
}

const headings = {
  todo: 'Left to do',
  changed: 'Spelled otherwise here',
  lost: 'Not carried over',
} as const;

function report(plan: Plan): string {
  const rows = plan.servers.map(({ id, from, entry, keys }) => [
    id,
    from,
    typeof entry['url'] === 'string' ? entry['url'] : [entry['command'], ...listOf(entry['args'])].join(' '),
    keys.map(({ name }) => name).join(', '),
  ]);
  const grants = [...plan.groups, ...plan.users].map(([name, ids]) => [name, ids.join(', ')]);
  const notes = (['todo', 'changed', 'lost'] as const).flatMap((kind) => {
    const own = plan.notes.filter((note) => note.kind === kind);
    return own.length === 0
      ? []
      : [
          `\n${headings[kind]}:\n${own.map(({ about, text }) => `  ${plain(`${about}: ${text}`)}`).join('\n')}\n`,
        ];
  });
  const granted = grants.length === 0 ? '' : `\n${table(['MAY USE', 'SERVERS'], grants, '')}`;
  const nobody =
    grants.length === 0 && rows.length > 0
      ? '\nNobody but administrators may use them until a group grants them.\n'
      : '';
  return `${table(['SERVER', 'WAS', 'REACHES', 'KEYS FOUND'], rows, 'The file holds no servers.')}${granted}${nobody}${notes.join('')}`;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** How long a running gate may take to read its config file again, in milliseconds. */
const reloadMs = 15_000;

async function storeKeys(
  plan: Plan,
  tenant: string | undefined,
  call: Call,
  terminal: Terminal,
): Promise<void> {
  const withKeys = plan.servers.filter(({ keys }) => keys.length > 0);
  if (withKeys.length === 0) return;
  terminal.writeError('Storing the keys, as soon as Toolgate has read the file …\n');
  for (const server of withKeys) {
    await untilKnown(server, call);
    for (const { name, value } of server.keys)
      await setKey(call, tenant === undefined ? {} : { tenant }, { server: server.id, name }, value);
  }
  const whose =
    tenant === undefined ? 'for everybody who has no key of their own' : `for the tenant ${tenant}`;
  terminal.writeError(
    `Stored the keys of ${withKeys.map(({ id }) => id).join(', ')}, ${whose}. Delete them from the other file.\n`,
  );
}

async function untilKnown({ id }: PlannedServer, call: Call): Promise<void> {
  const until = Date.now() + reloadMs;
  for (;;) {
    try {
      await call(accessApi.getServer, { params: { id } });
      return;
    } catch (error) {
      if (Date.now() > until || !(error instanceof CallError))
        throw new CallError(
          `The servers are in the config file, but their keys are not stored, because Toolgate does not know "${id}" yet: start it with this config file, then store them with "toolgate credentials set ${id}".`,
          { cause: error },
        );
      await delay(500);
    }
  }
}

async function write(file: string, before: Buffer | null, text: string): Promise<void> {
  try {
    await replaceFile(file, before, text);
  } catch (cause) {
    const why =
      cause instanceof FileChanged
        ? 'was changed by somebody else meanwhile; run the command again'
        : 'cannot be written';
    throw new CallError(`${plain(file)} ${why}. Nothing was changed.`, { cause });
  }
}
