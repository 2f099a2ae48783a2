import { readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { api as accessApi } from '../src/access/contract.ts';
import { api as secretsApi } from '../src/secrets/contract.ts';
import { type Call, CallError, connect } from './call.ts';
import { serversIn, withPlan } from './import/edit-config.ts';
import { type Format, formats, type Plan, type PlannedServer } from './import/plan.ts';
import { ImportError, readPlan } from './import/read-plan.ts';
import { plain, table, type Terminal } from './terminal.ts';

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
      const before = await readOr(target, '');
      const plan = planOf(await readOr(file), options.format, before);
      const after = edited(before, plan);
      const { call, json } = connect(command, terminal);
      if (json) return terminal.write(`${JSON.stringify(shown(plan, options), null, 2)}\n`);
      terminal.write(report(plan));
      if (options.write === undefined) {
        terminal.write(`\nNothing was changed. With --write this goes into ${target}.\n`);
        return;
      }
      await replaceFile(target, after);
      terminal.write(`\nWritten to ${target}.\n`);
      if (options.keys) await storeKeys(plan, options.tenant, call, terminal);
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
  for (const server of withKeys) {
    await untilKnown(server, call);
    for (const { name, value } of server.keys)
      await storeKey({ server: server.id, name, value, tenant }, call);
  }
  const whose =
    tenant === undefined ? 'for everybody who has no key of their own' : `for the tenant ${tenant}`;
  terminal.write(
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

async function storeKey(
  key: { server: string; name: string; value: string; tenant: string | undefined },
  call: Call,
): Promise<void> {
  const { server, name, value, tenant } = key;
  const body = { name, value };
  if (tenant === undefined) await call(secretsApi.putSharedKey, { params: { server }, body });
  else await call(secretsApi.putTenantKey, { params: { id: tenant, server }, body });
}

async function readOr(file: string, missing?: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (isMissing && missing !== undefined) return missing;
    throw new CallError(`${file} cannot be read${isMissing ? ': there is no such file' : ''}.`, { cause });
  }
}

/** As a whole or not at all: a running gate reads the file at any moment. */
async function replaceFile(file: string, text: string): Promise<void> {
  const real = await realpath(file).catch(() => file);
  const draft = path.join(path.dirname(real), `.${path.basename(real)}.import`);
  const mode = await stat(real).then(
    (found) => found.mode & 0o777,
    () => 0o644,
  );
  try {
    await writeFile(draft, text, { mode });
    await rename(draft, real);
  } catch (cause) {
    throw new CallError(`${file} cannot be written; nothing was changed.`, { cause });
  }
}
