import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ProcessLimits, accessFile } from '../../access/contract.ts';
import { parseJsonc } from '../../platform/jsonc.ts';
import { beginsOpen, fits } from './fits.ts';
import { isExactlyPinned, type PinnedCommand } from './pinned-commands.ts';

/** A command that the operator wrote, in the config file or by choosing which catalog entries can be installed. */
export interface AllowedCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute, or a text with placeholders. Null: its own data directory. */
  readonly cwd: string | null;
  /** The operator named the directory, rather than leaving it at that of the config file. */
  readonly choosesCwd: boolean;
  readonly limits: ProcessLimits | undefined;
  readonly origin: 'file' | 'catalog';
}

/** The commands of a config file by server. */
export type FileCommands = ReadonlyMap<string, AllowedCommand>;

/** How a definition starts its server. */
export interface Definition {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

/** What somebody wants to have started. */
export interface Wanted {
  readonly server: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/**
 * The stdio servers of a config file, or undefined when it is no JSON. An entry that is wrong allows nothing; the gate
 * tells the operator what is wrong with it. Placeholders stay as they are.
 */
export function commandsIn(text: string, directory: string): FileCommands | undefined {
  const { value, errors } = parseJsonc(text);
  if (errors.length > 0 || typeof value !== 'object' || value === null) return undefined;
  const servers: unknown = 'mcpServers' in value ? value.mcpServers : {};
  const found = new Map<string, AllowedCommand>();
  for (const [name, entry] of Object.entries(servers ?? {})) {
    // A file may spell an id as other programs do.
    const parsed = accessFile.safeParse({ mcpServers: { [name]: entry } });
    for (const [id, server] of Object.entries(parsed.data?.mcpServers ?? {}))
      if (server.type === 'stdio') found.set(id, commandOf(server, directory));
  }
  return found;
}

/** A stdio server of the config file as a command that may be run. */
function commandOf(
  server: Definition & { readonly limits?: ProcessLimits | undefined },
  directory: string,
): AllowedCommand {
  const { command, args, env, cwd, limits } = server;
  return {
    ...{ command, args, env, limits },
    cwd: cwd?.includes('${env:') ? cwd : path.resolve(directory, cwd ?? '.'),
    choosesCwd: cwd !== undefined,
    origin: 'file',
  };
}

/** Which of the allowed commands this is, with every placeholder filled in; undefined: none, so it may not be run. */
export function allowedCommand(
  wanted: Wanted,
  file: FileCommands,
  pinned: readonly PinnedCommand[],
): AllowedCommand | undefined {
  const own = file.get(wanted.server);
  if (own && fitsCommand(wanted, own)) return own.cwd?.includes('${env:') ? { ...own, cwd: wanted.cwd } : own;
  const isExact = isExactlyPinned(wanted);
  const entry = pinned.find((one) => (isExact || one.isOperators) && fitsPinned(wanted, one));
  return entry && { ...entry, cwd: null, choosesCwd: false, limits: undefined, origin: 'catalog' };
}

/**
 * For the gate: does a definition, placeholders and all, start what the operator wrote? Whatever the database says,
 * nothing else of the config file is run.
 */
export function isSameCommand(definition: Definition, written: Definition): boolean {
  return isDeepStrictEqual(startOf(definition), startOf(written));
}

function startOf({ command, args, env, cwd }: Definition): Definition {
  return { command, args, env, cwd };
}

function fitsCommand(wanted: Wanted, allowed: AllowedCommand): boolean {
  return (
    fits(wanted.command, allowed.command) &&
    fitsEach(wanted.args, allowed.args) &&
    // A variable more could be NODE_OPTIONS or LD_PRELOAD, which is as good as another command.
    sameNames(wanted.env, allowed.env) &&
    fitsEnv(wanted.env, allowed.env) &&
    // The file may be in another place here than at the gate, so a directory that is known is taken as it is here.
    (!allowed.cwd?.includes('${env:') || fits(wanted.cwd, allowed.cwd))
  );
}

/** Optional variables may be left out, and no value that is filled in may turn into another option. */
function fitsPinned(wanted: Definition, pinned: PinnedCommand): boolean {
  return (
    wanted.command === pinned.command &&
    fitsEach(wanted.args, pinned.args) &&
    wanted.args.every((arg, at) => !arg.startsWith('-') || !beginsOpen(pinned.args[at] ?? '')) &&
    fitsEnv(wanted.env, pinned.env)
  );
}

function fitsEach(texts: readonly string[], templates: readonly string[]): boolean {
  return texts.length === templates.length && texts.every((text, at) => fits(text, templates[at] ?? ''));
}

function fitsEnv(env: Wanted['env'], templates: AllowedCommand['env']): boolean {
  return Object.entries(env).every(([name, text]) => {
    const template = Object.hasOwn(templates, name) ? templates[name] : undefined;
    return template !== undefined && fits(text, template);
  });
}

function sameNames(a: Wanted['env'], b: Wanted['env']): boolean {
  return Object.keys(a).length === Object.keys(b).length;
}
