import type { Tell } from './plan.ts';

/**
 * `npx mcp-remote <url> --header "Name: value"` is how clients that know only commands reach a remote server. A gate
 * reaches it directly: no process, and each tenant's own key. Undefined for every other command.
 */
export function throughMcpRemote(
  raw: Readonly<Record<string, unknown>>,
  tell: Tell,
): Record<string, unknown> | undefined {
  const args = Array.isArray(raw['args']) ? raw['args'].map(String) : [];
  const at = args.findIndex((arg) => /^mcp-remote(?:@.*)?$/.test(arg));
  const url = args[at + 1];
  const command = typeof raw['command'] === 'string' ? raw['command'].split(/[/\\]/).at(-1) : undefined;
  if (at < 0 || url === undefined || !/^https?:\/\//.test(url)) return undefined;
  if (command === undefined || !/^(?:npx|bunx|pnpm|yarn|cmd)(?:\.cmd|\.exe)?$/.test(command))
    return undefined;
  const environment = isRecord(raw['env']) ? raw['env'] : {};
  const { headers, type, hasClient } = optionsOf(args.slice(at + 2), environment);
  const { command: _command, args: _args, env: _env, type: _type, ...rest } = raw;
  // Its address may hold a key.
  tell('changed', 'it is reached directly, without mcp-remote');
  const oauth = Object.keys(headers).length === 0 || hasClient;
  return { ...rest, url, ...(type && { type }), headers, ...(oauth && { oauth: { kind: 'oauth' } }) };
}

function optionsOf(args: readonly string[], env: Readonly<Record<string, unknown>>) {
  const headers: Record<string, string> = {};
  let type: string | undefined;
  for (const [index, arg] of args.entries()) {
    const value = args[index + 1] ?? '';
    if (arg === '--header') {
      const [, name, text] = /^([^:]+):\s*(.*)$/s.exec(value) ?? [];
      // Its own environment is where the secrets of these headers stand.
      if (name !== undefined && text !== undefined)
        headers[name] = text.replace(/\$\{(\w+)\}/g, (whole, key: string) => textOf(env[key]) ?? whole);
    }
    if (arg === '--transport') type = value.startsWith('sse') ? 'sse' : 'http';
  }
  return { headers, type, hasClient: args.some((arg) => arg.startsWith('--static-oauth-client')) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
