// Reads what can be set from outside, the environment and the config file, and tells every mistake at once.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { danglingReferences, mcpoNotes, sameServers } from './access/index.ts';
import { clashingEntries } from './catalog/index.ts';
import { type ConfigFile, configFileSchema, environmentSchema } from './config-schema.ts';
import { danglingLimits } from './gateway/limits/dangling-limits.ts';
import { AppError, messageOf } from './platform/errors.ts';
import { parseJsonc } from './platform/jsonc.ts';
import type { Log } from './platform/log.ts';
import { check, didYouMean, formatPath, type Mistake } from './platform/mistakes.ts';
import { salvage } from './platform/salvage.ts';
import { expandVariables } from './platform/variables.ts';
import { type FileWatch, fingerprint, watchFile } from './platform/watch-file.ts';

export type { ConfigFile };

/** Environment variables by name. An empty one counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Set by the program that starts Toolgate, for itself. */
const launchersPipe = 'TOOLGATE_PARENT_PIPE';

/** All settings of one process; paths are absolute. */
export interface Config extends Omit<z.infer<typeof environmentSchema>, 'PUBLIC_URL'> {
  readonly PUBLIC_URL: string;
  /** The config file; `command`, `args`, `env`, `headers` and URLs of servers still hold their `${env:NAME}`. */
  readonly file: ConfigFile;
  /** Where `${env:NAME}` is looked up: the environment, with TOOLGATE_DATA_DIR always in it. */
  readonly variables: Environment;
  /** Names the content that `file` was read from, for `watchConfigFile`; null when there is no file. */
  readonly fileFingerprint: string | null;
  /** Things to tell the operator that do not keep Toolgate from starting. */
  readonly warnings: readonly string[];
}

/** Reads everything. Throws AppError `config_invalid` whose message lists every mistake, one a line. */
export async function loadConfig(env: Environment, cwd: string): Promise<Config> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const settings = check(environmentSchema, given);
  const configPath = path.resolve(cwd, given['TOOLGATE_CONFIG'] ?? 'mcp-servers.json');
  const dataDir = path.resolve(cwd, given['TOOLGATE_DATA_DIR'] ?? '.toolgate');
  const keyFile = given['TOOLGATE_MASTER_KEY_FILE'];
  const text = await readText(configPath, 'TOOLGATE_CONFIG' in given);
  const variables = { ...withoutMasterKey(env), TOOLGATE_DATA_DIR: dataDir };
  const parsed = parseConfigFile(text.content ?? '{}', configPath, variables);
  const mistakes = [
    ...(settings.ok
      ? []
      : settings.mistakes.map(({ path: [name], message }) => `${String(name)}: ${message}`)),
    ...text.mistakes,
    ...parsed.mistakes,
  ];
  if (!settings.ok || parsed.file === null || mistakes.length > 0) throw invalid(mistakes);
  return {
    ...settings.value,
    PUBLIC_URL: settings.value.PUBLIC_URL ?? `http://localhost:${settings.value.PORT}`,
    TOOLGATE_CONFIG: configPath,
    TOOLGATE_DATA_DIR: dataDir,
    ...(keyFile !== undefined && { TOOLGATE_MASTER_KEY_FILE: path.resolve(cwd, keyFile) }),
    file: parsed.file,
    variables,
    fileFingerprint: text.content === null ? null : fingerprint(text.content),
    warnings: [...unknownVariables(given), ...weakToken(given), ...text.warnings, ...parsed.notes],
  };
}

/** Reads the config file once more. Throws AppError `config_invalid` like `loadConfig`. */
export async function readConfigFile(file: string, env: Environment): Promise<ConfigFile> {
  const text = await readText(file, true);
  const parsed = parseConfigFile(text.content ?? '{}', file, env);
  if (text.content === null || parsed.file === null) throw invalid([...text.mistakes, ...parsed.mistakes]);
  return parsed.file;
}

/**
 * Calls `onChange` with each new valid content of the config file, and `onInvalid` (AppError `config_invalid`) with
 * each wrong one, which changes nothing. `loaded` is `Config.fileFingerprint`. An `onChange` that throws is tried again.
 */
export function watchConfigFile(
  file: string,
  env: Environment,
  options: {
    loaded: string | null;
    onChange: (file: ConfigFile) => Promise<void>;
    onInvalid: (error: AppError) => void;
    log: Log;
    pollMs?: number;
    settleMs?: number;
  },
): FileWatch {
  const { loaded, onChange, onInvalid, ...rest } = options;
  return watchFile(file, {
    ...rest,
    known: loaded,
    onGone: (error) => onInvalid(invalid([unreadable(file, error)])),
    onText: async (text) => {
      const parsed = parseConfigFile(text, file, env);
      if (parsed.file === null) return onInvalid(invalid(parsed.mistakes));
      for (const note of parsed.notes) rest.log.warn(note);
      await onChange(parsed.file);
    },
  });
}

interface ParsedFile {
  readonly file: ConfigFile | null;
  readonly mistakes: readonly string[];
  /** What the operator should know though nothing is wrong. */
  readonly notes: readonly string[];
}

function parseConfigFile(text: string, file: string, env: Environment): ParsedFile {
  const jsonc = parseJsonc(text);
  const name = shortName(file);
  if (jsonc.errors.length > 0) {
    return wrong(jsonc.errors.map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`));
  }
  const variables = fileVariables(env);
  const expanded = expandVariables(jsonc.value, variables);
  const checked = check(configFileSchema, expanded.value);
  const sound = checked.ok ? checked.value : salvage(configFileSchema, expanded.value, emptyEntry);
  const found = [
    ...expanded.mistakes,
    ...(checked.ok ? [] : checked.mistakes),
    ...(sound ? danglingReferences(sound) : []),
    ...(checked.ok ? danglingLimits(checked.value) : []),
    ...(checked.ok ? clashingEntries(checked.value.catalog) : []),
    ...sameServers(expanded.value),
  ];
  if (found.length > 0) return wrong(located(found, jsonc.locate, name));
  const kept = check(configFileSchema, expandVariables(jsonc.value, variables, isFilledInLater).value);
  if (!kept.ok) return wrong(located(kept.mistakes, jsonc.locate, name));
  return { file: kept.value, mistakes: [], notes: located(mcpoNotes(jsonc.value), jsonc.locate, name) };
}

function wrong(mistakes: readonly string[]): ParsedFile {
  return { file: null, mistakes, notes: [] };
}

/** The data directory has a default, so a file may lean on it whether it was set or not. */
function fileVariables(env: Environment): Environment {
  return { ...env, TOOLGATE_DATA_DIR: path.resolve(env['TOOLGATE_DATA_DIR'] || '.toolgate') };
}

/**
 * What a connector is told keeps its placeholders until it connects, so that no secret gets into the database or an
 * answer of the API. A URL that begins with one is needed whole to be checked, so it is filled in here.
 */
function isFilledInLater([section, , key]: Mistake['path'], text: string): boolean {
  // What an entry asks for it asks for by a field; any other placeholder in it is refused, not filled in.
  if (section === 'catalog') return true;
  if (section === 'tenants') return key === 'endpoints' && /^https?:/.test(text);
  if (section !== 'mcpServers') return false;
  return key === 'url' ? /^https?:/.test(text) : ['command', 'args', 'env', 'headers'].includes(String(key));
}

/** One line for each place, in the order of the file; the first mistake of a place explains the others. */
function located(
  mistakes: readonly Mistake[],
  locate: ReturnType<typeof parseJsonc>['locate'],
  name: string,
): string[] {
  const byPath = new Map(mistakes.toReversed().map((mistake) => [formatPath(mistake.path), mistake]));
  return [...byPath]
    .map(([key, { path, message }]) => ({
      ...locate(path),
      text: key === '' ? message : `${key}: ${message}`,
    }))
    .sort((a, b) => a.line - b.line || a.column - b.column)
    .map(({ line, column, text }) => `${name}:${line}:${column}: ${text}`);
}

/** A broken server, group, tenant or user counts as an empty one: what refers to it is not wrong. */
function emptyEntry([section, ...rest]: readonly string[]): unknown {
  if (rest.length !== 1) return undefined;
  return section === 'mcpServers' ? { command: 'broken' } : {};
}

interface FileText {
  readonly content: string | null;
  readonly mistakes: readonly string[];
  readonly warnings: readonly string[];
}

async function readText(file: string, required: boolean): Promise<FileText> {
  try {
    return { content: await readFile(file, 'utf8'), mistakes: [], warnings: [] };
  } catch (error) {
    if (required || codeOf(error) !== 'ENOENT')
      return { content: null, mistakes: [unreadable(file, error)], warnings: [] };
    return {
      content: null,
      mistakes: [],
      warnings: [`There is no ${shortName(file)}, so there are no servers, groups or users from a file.`],
    };
  }
}

function unreadable(file: string, error: unknown): string {
  const why = codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${codeOf(error)})`;
  return `${shortName(file)}: ${why}; TOOLGATE_CONFIG says where the config file is`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
}

function shortName(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith('..') || path.isAbsolute(relative) ? file : relative;
}

function invalid(mistakes: readonly string[]): AppError {
  const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
  return new AppError('config_invalid', 422, [`The configuration has ${count}:`, ...mistakes].join('\n'));
}

/** It opens everything that is stored, so no `${env:…}` may put it into what a server is sent. */
function withoutMasterKey(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'TOOLGATE_MASTER_KEY'));
}

function unknownVariables(given: Environment): string[] {
  const known = Object.keys(environmentSchema.shape);
  return Object.keys(given)
    .filter((name) => name.startsWith('TOOLGATE_') && !known.includes(name) && name !== launchersPipe)
    .map((name) => `${name} is not a variable that Toolgate knows${didYouMean(name, known)}`);
}

function weakToken(given: Environment): string[] {
  const token = given['TOOLGATE_ADMIN_TOKEN'] ?? '';
  return token !== '' && token.length < 16
    ? ['TOOLGATE_ADMIN_TOKEN is short enough to be guessed; use 32 random characters.']
    : [];
}
