// `toolgate openwebui install`: connects one Open WebUI to Toolgate, and says what of its settings is right or missing.
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { api as access, groupName, serverId, tenantId } from '../src/access/contract.ts';
import { type Call, connectTo } from './call.ts';
import { type OpenWebUi, openWebUi } from './open-webui-api.ts';
import { type ConnectionKind, connectionId, pathOf, type Scope } from './open-webui-connection.ts';
import { checkSettings, type Setting } from './open-webui-settings.ts';
import { installConnection, seeForwarding, type Step } from './open-webui-steps.ts';
import { readSecret } from './read-text.ts';
import { CallError, type Outcome, plain, table, type Terminal } from './terminal.ts';

const parts = ['tool-file', 'mcp', 'openapi'] as const;
type Part = (typeof parts)[number];

interface Options extends Scope {
  readonly gatewayUrl?: string;
  readonly mode: readonly Part[];
  readonly connectionKeyFile?: string;
  readonly dryRun?: true;
}

/** Open WebUI's own address and token come under the names that the whole program uses for Toolgate's. */
type AllOptions = Options & { readonly url?: string; readonly tokenFile?: string; readonly json?: true };

const source = new URL('../integrations/open-webui/toolgate_tools.py', import.meta.url);
const description = 'Lists and calls the tools that you may use through Toolgate.';

/** `toolgate openwebui`, with what can be done to one. */
export function openWebUiCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('openwebui')
    .description('Open WebUI as a client of Toolgate')
    .addCommand(installCommand(terminal, outcome));
}

function installCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('install')
    .description('connect an Open WebUI to Toolgate, and check its settings; can be run again at any time')
    .option('--url <url>', 'address of Open WebUI (default: OPEN_WEBUI_URL)')
    .option(
      '--token-file <file>',
      "file with an administrator's session token or API key, - for standard input (default: OPEN_WEBUI_TOKEN)",
    )
    .option(
      '--gateway-url <url>',
      'address of Toolgate as Open WebUI reaches it (default: PUBLIC_URL, or this machine)',
    )
    .option('--mode <parts>', `comma-separated: ${parts.join(', ')}, or all`, toParts, ['tool-file', 'mcp'])
    .option('--server <id>', 'offer one server instead of all')
    .option('--tenant <id>', 'act for this tenant')
    .option('--group <name>', "offer a group's tools alone, to its members")
    .option(
      '--connection-key-file <file>',
      'file with the key to use (default: TOOLGATE_CONNECTION_KEY, the one in place, or a new one)',
    )
    .option('--dry-run', 'tell what would be done, and change nothing')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<AllOptions>();
      const wrong = misuse(options);
      if (wrong !== undefined) command.error(`error: ${wrong}`);
      const report = await install(options, terminal);
      if (report.steps.some(({ change }) => change === 'failed')) outcome.code = 1;
      terminal.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : printed(report));
    });
}

/** Throws nothing: an unknown word is told by `misuse`, with the others. */
function toParts(text: string): string[] {
  return text === 'all' ? [...parts] : text.split(',').map((word) => word.trim());
}

function misuse({ mode, server, tenant, group }: Options): string | undefined {
  const unknown = mode.find((part) => !parts.includes(part));
  if (unknown !== undefined) return `there is no --mode ${unknown}; there are ${parts.join(', ')} and all`;
  if (mode.includes('openapi') && server === undefined && group === undefined)
    return 'over OpenAPI everybody is shown the same tools; say whose, with --group or --server';
  const checks = [
    [serverId, server, '--server'],
    [tenantId, tenant, '--tenant'],
    [groupName, group, '--group'],
  ] as const;
  const bad = checks.find(([shape, value]) => value !== undefined && !shape.safeParse(value).success);
  return bad && `${bad[2]} is not a valid name`;
}

interface Report {
  readonly openWebUi: string;
  readonly gateway: string;
  readonly dryRun: boolean;
  readonly steps: readonly Step[];
  readonly settings: readonly Setting[];
  readonly notes: readonly string[];
}

async function install(options: AllOptions, terminal: Terminal): Promise<Report> {
  const owui = openWebUi(...(await addressAndToken(options, terminal)));
  const gate = connectTo({}, terminal);
  const gateUrl = (options.gatewayUrl ?? gate.url).replace(/\/+$/, '');
  if (!/^https?:\/\//.test(gateUrl))
    throw new CallError('--gateway-url must begin with http:// or https://.');
  const me = await owui.me();
  if (me !== undefined && me.role !== 'admin') {
    throw new CallError(`${me.email} is no administrator of this Open WebUI; give an administrator's token.`);
  }
  const dryRun = options.dryRun === true;
  const { server, tenant, group } = options;
  const scope = { server, tenant, group };
  await assertExists(gate.call, scope, dryRun);
  const given = await connectionKey(options, terminal);
  const steps: Step[] = [];
  const kinds = options.mode.filter((part): part is ConnectionKind => part !== 'tool-file');
  for (const kind of kinds) {
    const where = { owui, call: gate.call, gateUrl, adminUrl: gate.url };
    steps.push(await installConnection(where, { kind, scope, given, dryRun }));
  }
  if (options.mode.includes('tool-file')) steps.push(await installToolFile({ owui, gateUrl, scope, dryRun }));
  const canSee = kinds.includes('mcp') && !dryRun && steps.every(({ change }) => change !== 'failed');
  const forwarding = canSee
    ? await seeForwarding(owui, gate.call, connectionId('mcp', scope), me?.email)
    : undefined;
  const settings = await checkSettings(owui, forwarding);
  return { openWebUi: owui.url, gateway: gateUrl, dryRun, steps, settings, notes: notesOn(gateUrl) };
}

async function connectionKey(
  { connectionKeyFile }: Options,
  terminal: Terminal,
): Promise<string | undefined> {
  if (connectionKeyFile !== undefined) return readSecret(connectionKeyFile, terminal, 'connection key');
  return terminal.env['TOOLGATE_CONNECTION_KEY'] || undefined;
}

async function addressAndToken(
  { url, tokenFile }: AllOptions,
  terminal: Terminal,
): Promise<[string, string]> {
  const { env } = terminal;
  const at = url ?? (env['OPEN_WEBUI_URL'] || undefined);
  if (at === undefined || !/^https?:\/\//.test(at))
    throw new CallError('Say where Open WebUI is: --url https://chat.example.com, or OPEN_WEBUI_URL.');
  if (tokenFile !== undefined) return [at, await readSecret(tokenFile, terminal, 'token of Open WebUI')];
  if (env['OPEN_WEBUI_TOKEN']) return [at, env['OPEN_WEBUI_TOKEN']];
  throw new CallError(
    "Give --token-file or OPEN_WEBUI_TOKEN: an administrator's API key (Settings, Account) or session token.",
  );
}

/** A mistyped name would make a connection that offers nothing, and nobody would be told why. */
async function assertExists(call: Call, { server, tenant }: Scope, dryRun: boolean): Promise<void> {
  if (dryRun) return;
  if (server !== undefined) await call(access.getServer, { params: { id: server } });
  if (tenant !== undefined) await call(access.getTenant, { params: { id: tenant } });
}

interface ToolFileInput {
  readonly owui: OpenWebUi;
  readonly gateUrl: string;
  readonly scope: Scope;
  readonly dryRun: boolean;
}

/** Makes the Tool file what it is here; of its settings only the address is ours, and its grants are the admin's. */
async function installToolFile({ owui, gateUrl, scope, dryRun }: ToolFileInput): Promise<Step> {
  const id = connectionId('mcp', scope).replaceAll('-', '_');
  const file = {
    id,
    name: ['Toolgate', scope.tenant, scope.group, scope.server].filter(Boolean).join(' '),
    description,
  };
  const content = readFileSync(source, 'utf8');
  const was = await owui.toolFile(id);
  const values = was === undefined ? {} : await owui.valves(id);
  const ours = { gateway_url: gateUrl, mcp_path: pathOf('mcp', scope) };
  const hasValves = Object.entries(ours).every(([name, value]) => values[name] === value);
  const what = `Tool file "${id}"`;
  if (was?.content === content && hasValves) return { what, change: 'unchanged', detail: `calls ${gateUrl}` };
  const change = was === undefined ? 'added' : 'updated';
  if (dryRun) return { what, change: `would be ${change}`, detail: `would call ${gateUrl}` };
  if (was === undefined) await owui.createToolFile({ ...file, content });
  else if (was.content !== content) await owui.updateToolFile({ ...file, name: was.name, content });
  await owui.saveValves(id, { ...values, ...ours });
  return { what, change, detail: `calls ${gateUrl}` };
}

function notesOn(gateUrl: string): string[] {
  const { protocol, hostname } = new URL(gateUrl);
  const near = /^(localhost|127\..*|\[::1\]|[^.]+|.*\.(local|internal|svc))$/.test(hostname);
  if (protocol === 'https:' || near) return [];
  return [
    `${gateUrl} is not encrypted: keys and sessions can be read on the way. Give --gateway-url an https address.`,
  ];
}

const marks: Readonly<Record<Setting['state'], string>> = {
  right: 'right',
  missing: 'MISSING',
  unseen: 'not seen',
  unused: 'not used',
};

function printed({ steps, settings, notes, dryRun }: Report): string {
  const done = table(
    ['PART', 'RESULT', ''],
    steps.map(({ what, change, detail }) => [what, change, detail]),
    '',
  );
  const found = table(
    ['SETTING OF OPEN WEBUI', 'STATE', ''],
    settings.map(({ name, state, message }) => [name, marks[state], message]),
    '',
  );
  const missing = settings.filter(({ state }) => state === 'missing').length;
  const end = missing === 0 ? '' : `\n${missing} to be set before people get their tools.\n`;
  const first = dryRun ? 'Nothing was changed: this was a dry run.\n\n' : '';
  return `${first}${done}\n${found}${end}${notes.map((note) => `\n${plain(note)}\n`).join('')}`;
}
