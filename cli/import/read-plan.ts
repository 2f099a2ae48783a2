import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import type { AskedInput } from './foreign-variables.ts';
import type { Format, Note, Plan, PlannedServer } from './plan.ts';
import { translateServer } from './server-entry.ts';
import { serverIdFor } from './server-id.ts';
import { isTenantsJson, planTenantsJson } from './tenants-json.ts';

/** What a file cannot be read for; one sentence for the person at the terminal. */
export class ImportError extends Error {}

/** Reads a file of another program. `taken` are the ids that the config file has already. Throws ImportError. */
export function readPlan(text: string, format: Format | undefined, taken: ReadonlySet<string>): Plan {
  const errors: ParseError[] = [];
  const file: unknown = parse(text.replace(/^\uFEFF/, ''), errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first) {
    const line = text.slice(0, first.offset).split('\n').length;
    const mistake = printParseErrorCode(first.error).replaceAll(
      /\B[A-Z]/g,
      (letter) => ` ${letter.toLowerCase()}`,
    );
    throw new ImportError(`The file is no JSON: line ${line}, ${mistake.toLowerCase()}.`);
  }
  if (!isRecord(file)) throw new ImportError('The file holds no JSON object.');
  const found = format ?? detect(file);
  if (found === 'tenants') {
    if (!isTenantsJson(file))
      throw new ImportError('This is no tenants.json: each entry needs an "mcp_endpoint".');
    return planTenantsJson(file, taken);
  }
  const servers = serversOf(file, found);
  if (servers === undefined)
    throw new ImportError('No servers were found: there is neither "mcpServers" nor "servers" in the file.');
  return planServers(servers, found, inputsOf(file), taken);
}

function detect(file: Readonly<Record<string, unknown>>): Format {
  if (isTenantsJson(file)) return 'tenants';
  if (isRecord(file['servers']) || isRecord(file['mcp'])) return 'vscode';
  const entries = isRecord(file['mcpServers']) ? Object.values(file['mcpServers']).filter(isRecord) : [];
  const has = (key: string) => entries.some((entry) => key in entry);
  if (entries.some(({ type }) => typeof type === 'string' && /^(?:STDIO|SSE|STREAMABLE_HTTP)$/.test(type)))
    return 'metamcp';
  if (has('client_header_forwarding') || has('disabledTools') || has('disabled_tools')) return 'mcpo';
  if (has('auth') || has('envFile')) return 'cursor';
  return 'claude';
}

function serversOf(
  file: Readonly<Record<string, unknown>>,
  format: Format,
): Record<string, unknown> | undefined {
  // Older VS Code keeps them in its settings, under "mcp".
  const root = format === 'vscode' && isRecord(file['mcp']) ? file['mcp'] : file;
  const servers = root['servers'] ?? root['mcpServers'];
  return isRecord(servers) ? servers : undefined;
}

function inputsOf(file: Readonly<Record<string, unknown>>): Map<string, AskedInput> {
  const root = isRecord(file['mcp']) ? file['mcp'] : file;
  const inputs = Array.isArray(root['inputs']) ? root['inputs'].filter(isRecord) : [];
  return new Map(
    inputs.flatMap((input): [string, AskedInput][] => {
      const { id, type, password, default: standard } = input;
      if (typeof id !== 'string') return [];
      const isSecret = type === 'promptString' && password === true;
      return [
        [
          id,
          { id, isSecret, standard: typeof standard === 'string' && standard !== '' ? standard : undefined },
        ],
      ];
    }),
  );
}

function planServers(
  servers: Readonly<Record<string, unknown>>,
  format: Format,
  inputs: ReadonlyMap<string, AskedInput>,
  taken: ReadonlySet<string>,
): Plan {
  const planned: PlannedServer[] = [];
  const notes: Note[] = [];
  const ids = new Set(taken);
  for (const [name, raw] of Object.entries(servers)) {
    const tell = (kind: Note['kind'], text: string) => void notes.push({ kind, about: name, text });
    const translated = isRecord(raw) ? translateServer(raw, inputs, tell) : undefined;
    if (!isRecord(raw)) tell('lost', 'is no object');
    if (translated === undefined) continue;
    const id = serverIdFor(name, ids);
    ids.add(id);
    if (id !== name) tell('changed', `is the server "${id}" here`);
    planned.push({ id, from: name, ...translated });
  }
  return { format, servers: planned, groups: new Map(), users: new Map(), notes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
