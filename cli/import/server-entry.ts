import { throughMcpRemote } from './mcp-remote.ts';
import type { FoundKey, Tell } from './plan.ts';
import { type AskedInput, rewriteVariables, type VariablesUsed } from './foreign-variables.ts';
import { isSecret, KeyNames, secretIn } from './secrets-in-text.ts';

export interface Translated {
  readonly entry: Record<string, unknown>;
  readonly keys: readonly FoundKey[];
}

const httpTypes = new Set(['http', 'streamable-http', 'streamablehttp', 'streamable_http']);
/** What other programs keep about a server and a gate has no use for. */
const ofNoUse = new Map([
  ['autoApprove', 'who may use a tool is decided by groups here'],
  ['alwaysAllow', 'who may use a tool is decided by groups here'],
  ['trust', 'who may use a tool is decided by groups here'],
  ['client_header_forwarding', 'what a caller sends never reaches a server'],
  ['dev', 'it belongs to an editor'],
  ['sandbox', 'set `limits` for the server instead'],
  ['sandboxEnabled', 'set `limits` for the server instead'],
  ['icon', 'servers have no pictures'],
  ['gallery', 'it belongs to an editor'],
  ['version', 'pin the version in the arguments instead'],
  ['restartOnFileChange', 'it belongs to an editor'],
]);

/** One server of another program as an entry of `mcpServers`; undefined, and told, when nothing can be made of it. */
export function translateServer(
  raw: Readonly<Record<string, unknown>>,
  inputs: ReadonlyMap<string, AskedInput>,
  tell: Tell,
): Translated | undefined {
  const names = new KeyNames();
  const defaults = new Map<string, string>();
  const used: VariablesUsed = { defaults, inputs, tell, askedKey: (name) => names.add(name, '<asked for>') };
  const source = throughMcpRemote(raw, tell) ?? raw;
  const draft =
    source['url'] === undefined && source['serverUrl'] === undefined
      ? localServer(source, names, used)
      : remoteServer(source, names, used);
  if (draft === undefined) {
    tell('lost', 'has neither a command nor a URL');
    return undefined;
  }
  Object.assign(draft, about(source), tools(source, tell));
  if (defaults.size > 0) draft['variables'] = Object.fromEntries(defaults);
  account(source, draft, names, tell);
  tellRest(source, tell);
  for (const { wanted, option } of names.missing())
    tell(
      'todo',
      `the file does not hold "${wanted}": store it with "toolgate credentials set <server>${option}"`,
    );
  // What went in as an object comes out as one.
  return { entry: names.fillIn(draft) as Record<string, unknown>, keys: names.found() };
}

function localServer(raw: Raw, names: KeyNames, used: VariablesUsed): Record<string, unknown> | undefined {
  const command = textOf(raw['command']);
  if (command === undefined) return undefined;
  const env = recordOf(raw['env']);
  const args = Array.isArray(raw['args']) ? raw['args'].map(String) : [];
  const draft: Record<string, unknown> = { command: rewriteVariables(command, used) };
  if (args.length > 0) draft['args'] = args.map((arg, index) => argument(arg, args[index - 1], names, used));
  if (Object.keys(env).length > 0) draft['env'] = valuesOf(env, names, used);
  const cwd = textOf(raw['cwd']);
  if (cwd !== undefined) draft['cwd'] = rewriteVariables(cwd, used);
  return draft;
}

function remoteServer(raw: Raw, names: KeyNames, used: VariablesUsed): Record<string, unknown> | undefined {
  const url = textOf(raw['url']) ?? textOf(raw['serverUrl']);
  if (url === undefined || !/^https?:\/\//.test(url)) return undefined;
  const type = (textOf(raw['type']) ?? textOf(raw['transport']) ?? '').toLowerCase();
  const isSse = type === 'sse' || (!httpTypes.has(type) && /\/sse\/?(?:[?#]|$)/.test(url));
  const headers = recordOf(raw['headers']);
  const bearer = textOf(raw['bearerToken']) ?? textOf(raw['bearer_token']);
  if (bearer !== undefined) headers['Authorization'] = `Bearer ${bearer}`;
  const draft: Record<string, unknown> = { type: isSse ? 'sse' : 'http', url: urlOf(url, names, used) };
  if (Object.keys(headers).length > 0) draft['headers'] = valuesOf(headers, names, used);
  else if (raw['auth'] === undefined && raw['oauth'] === undefined)
    used.tell(
      'todo',
      'has no key in the file: when it wants each user to sign in, add "account": { "kind": "oauth" }',
    );
  return draft;
}

type Raw = Readonly<Record<string, unknown>>;

function valuesOf(values: Raw, names: KeyNames, used: VariablesUsed): Record<string, string> {
  const entries = Object.entries(values).map(([name, value]): [string, string] => {
    const text = String(value);
    if (!isSecret(name, text)) return [name, rewriteVariables(text, used)];
    const { before, value: secret, after } = secretIn(text);
    return [name, `${before}${names.add(name, secret)}${after}`];
  });
  return Object.fromEntries(entries);
}

/** `--api-key=abc`, or `abc` behind `--api-key`. */
function argument(arg: string, before: string | undefined, names: KeyNames, used: VariablesUsed): string {
  const [, flag, value] = /^(--?[A-Za-z][\w-]*)=(.+)$/s.exec(arg) ?? [];
  if (flag !== undefined && value !== undefined && isSecret(flag, value))
    return `${flag}=${names.add(flag.replace(/^-+/, ''), value)}`;
  const name = before?.startsWith('-') && !before.includes('=') ? before : '';
  if (isSecret(name, arg) && !arg.startsWith('-'))
    return names.add(name.replace(/^-+/, '') || 'argument', arg);
  return rewriteVariables(arg, used);
}

/** Keys in the query, and a user and password before the host, leave the URL. As text: placeholders may stand anywhere. */
function urlOf(text: string, names: KeyNames, used: VariablesUsed): string {
  const bare = text.replace(/^(https?:\/\/)[^/?#@]*@/i, '$1');
  if (bare !== text)
    used.tell(
      'lost',
      'a user name and password stood in the URL, which no server is sent; use a header instead',
    );
  const [, base = '', query = ''] = /^([^?#]*)\??([^#]*)/.exec(bare) ?? [];
  const parts = query.split('&').map((part) => {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(part) ?? [];
    const plain = decoded(value);
    return isSecret(decoded(name), plain) ? `${name}=${names.add(decoded(name), plain)}` : part;
  });
  return rewriteVariables(query === '' ? base : `${base}?${parts.join('&')}`, used);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A stray percent sign: it stands for itself.
  }
}

function about(raw: Raw): Record<string, unknown> {
  const description = textOf(raw['description']);
  const displayName = textOf(raw['displayName']) ?? textOf(raw['title']);
  const isOff = raw['disabled'] === true || raw['enabled'] === false || raw['isActive'] === false;
  return {
    ...(displayName !== undefined && { displayName: displayName.slice(0, 100) }),
    ...(description !== undefined && { description: description.slice(0, 1000) }),
    ...(isOff && { enabled: false }),
  };
}

/** Tools that are switched off, or the only ones that are on. */
function tools(raw: Raw, tell: Tell): Record<string, unknown> {
  const off = namesOf(raw['disabledTools'] ?? raw['disabled_tools'] ?? raw['excludeTools']);
  const on = namesOf(raw['includeTools'] ?? raw['enabledTools']);
  if (off.length + on.length === 0) return {};
  tell('changed', 'the tools that are switched on and off are patterns in `tools` here');
  return { tools: [...(on.length > 0 ? on : ['*']), ...off.map((name) => `!${name}`)] };
}

/** A client that is registered by hand: `auth` of Cursor, `oauth` of Claude Code. */
function account(raw: Raw, draft: Record<string, unknown>, names: KeyNames, tell: Tell): void {
  const given = { ...recordOf(raw['oauth']), ...recordOf(raw['auth']) };
  if (Object.keys(given).length === 0 || draft['url'] === undefined) return;
  const clientId = textOf(given['CLIENT_ID']) ?? textOf(given['clientId']) ?? textOf(given['client_id']);
  const secret =
    textOf(given['CLIENT_SECRET']) ?? textOf(given['clientSecret']) ?? textOf(given['client_secret']);
  const scopes = Array.isArray(given['scopes']) ? given['scopes'].map(String) : undefined;
  draft['account'] = {
    kind: 'oauth',
    ...(clientId !== undefined && { clientId }),
    ...(scopes && { scopes }),
  };
  tell('changed', 'each user connects an account of their own here; the redirect URI is that of this gate');
  if (secret !== undefined) {
    names.addFixed('oauth-client-secret', secret);
    tell('todo', 'register the redirect URI of this gate (docs/accounts.md) with the client');
  }
}

const understood = new Set([
  ...[
    'type',
    'transport',
    'command',
    'args',
    'env',
    'cwd',
    'url',
    'serverUrl',
    'headers',
    'bearerToken',
    'bearer_token',
  ],
  ...[
    'description',
    'displayName',
    'title',
    'disabled',
    'enabled',
    'isActive',
    'disabledTools',
    'disabled_tools',
  ],
  ...['excludeTools', 'includeTools', 'enabledTools', 'auth', 'oauth', 'name'],
]);

function tellRest(raw: Raw, tell: Tell): void {
  if (raw['envFile'] !== undefined)
    tell(
      'todo',
      '`envFile` is not read: put its values into `env`, or store them with "toolgate credentials import"',
    );
  if (raw['timeout'] !== undefined)
    tell('lost', '`timeout`: programs mean seconds or milliseconds by it; set `timeoutMs`');
  for (const key of Object.keys(raw)) {
    if (understood.has(key) || key === 'envFile' || key === 'timeout') continue;
    tell('lost', `\`${key}\`: ${ofNoUse.get(key) ?? 'has no counterpart'}`);
  }
}

function namesOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name): name is string => typeof name === 'string') : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
