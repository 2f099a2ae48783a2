import { keyLevel } from '../contract.ts';
import type { EnvPlace } from '../needs.ts';
import { parseCsv } from './csv.ts';
import { type EnvLine, parseEnvFile } from './env-file.ts';
import { TextMistake } from './text-mistake.ts';

/** A row as it was written, before anybody looked whether what it names is there. */
export interface Draft {
  readonly line: number;
  readonly level: string;
  readonly owner: string;
  readonly tenant: string;
  readonly server: string;
  readonly name: string;
  readonly value: string;
  /** What else is to be done for this key to be used. */
  readonly note: string | null;
}

/** A row that comes to nothing, and why. Says nothing of what stands in it: that may be a secret. */
export interface Dropped {
  readonly line: number;
  readonly action: 'skip' | 'error';
  readonly message: string;
}

const columns = ['level', 'owner', 'tenant', 'server', 'name', 'value'] as const;

/** Rows of a CSV. One that cannot be read ends it, because nobody knows where the next one begins. */
export function csvDrafts(text: string): (Draft | Dropped)[] {
  return readable(text, () => {
    const [head, ...records] = parseCsv(text);
    if (head === undefined) throw new TextMistake(1, 'is empty');
    const names = head.cells.map((cell) => cell.trim().toLowerCase());
    refuseHead(names, head.line);
    return records.map(({ line, cells }) => {
      if (cells.length !== names.length) return dropped(line, wrongLength(cells.length, names.length));
      const raw = (name: (typeof columns)[number]) => cells[names.indexOf(name)] ?? '';
      const cell = (name: (typeof columns)[number]) => raw(name).trim();
      return {
        ...{ line, level: cell('level').toLowerCase(), owner: cell('owner'), tenant: cell('tenant') },
        ...{ server: cell('server'), name: cell('name') || 'default', value: raw('value'), note: null },
      };
    });
  });
}

/** Keys that a `.env` file holds, one for each place that uses its name. */
export function envDrafts(
  text: string,
  places: readonly EnvPlace[],
  tenant: string | undefined,
): (Draft | Dropped)[] {
  const byName = Map.groupBy(places, ({ env }) => env);
  return readable(text, () =>
    parseEnvFile(text).flatMap((entry) => {
      const wanted = byName.get(entry.name) ?? [];
      if (wanted.length === 0) return [skipped(entry, `${shown(entry.name)}: no server takes it as a key`)];
      if (entry.value === '') return [skipped(entry, `${shown(entry.name)} has no value`)];
      return wanted.map((place) => envDraft(entry, place, tenant));
    }),
  );
}

function envDraft(
  { line, name, value }: EnvLine,
  place: EnvPlace,
  tenant: string | undefined,
): Draft | Dropped {
  const { before, after, note } = place;
  if (!place.exists)
    return { line, action: 'skip', message: `${name} belongs to ${place.server}, which is not added yet` };
  const isFramed = value.startsWith(before) && value.endsWith(after);
  const frame = before.length + after.length;
  if (frame > 0 && (!isFramed || value.length <= frame))
    return dropped(
      line,
      `is used by ${place.server} inside a longer text that its value does not look like; set the key by itself`,
    );
  const key = value.slice(before.length, value.length - after.length);
  const owner = {
    level: tenant === undefined ? 'shared' : 'tenant',
    owner: tenant ?? '',
    tenant: tenant ?? '',
  };
  return { line, ...owner, server: place.server, name: place.name, value: key, note };
}

/** A secret that stands by itself and ends in "=" looks like a name as well. */
function shown(name: string): string {
  return /^[A-Z][A-Z0-9_]{0,63}$/.test(name) ? name : 'a name';
}

function readable(text: string, read: () => (Draft | Dropped)[]): (Draft | Dropped)[] {
  try {
    refuseDamaged(text);
    return read();
  } catch (error) {
    if (error instanceof TextMistake) return [dropped(error.line, error.message)];
    throw error;
  }
}

/** Bytes that were no UTF-8 have become U+FFFD on their way, and UTF-16 read as UTF-8 is full of NUL. */
function refuseDamaged(text: string): void {
  const at = text.search(/[\0\uFFFD]/);
  if (at < 0) return;
  throw new TextMistake(
    text.slice(0, at).split(/\r\n?|\n/).length,
    'holds characters that cannot be read, because the file was not UTF-8; save it as UTF-8, and nothing gets lost',
  );
}

function refuseHead(names: readonly string[], line: number): void {
  const known: readonly string[] = columns;
  const missing = ['server', 'value'].filter((name) => !names.includes(name));
  if (missing.length > 0 || names.some((name) => !known.includes(name)) || new Set(names).size < names.length)
    throw new TextMistake(
      line,
      `must name the columns, each once: server and value, and where they are needed ${columns.filter((name) => name !== 'server' && name !== 'value').join(', ')}`,
    );
}

function wrongLength(found: number, wanted: number): string {
  return `has ${found} columns where the first line has ${wanted}; a value with a separator in it must stand in quotes`;
}

function dropped(line: number, message: string): Dropped {
  return { line, action: 'error', message };
}

function skipped({ line }: EnvLine, message: string): Dropped {
  return { line, action: 'skip', message };
}

/** The level that a row means: what it says, else a tenant's where there is one, else a shared key. */
export function levelOf({ level, owner, tenant }: Draft, only: string | undefined) {
  if (level !== '') return keyLevel.safeParse(level).data;
  if (owner !== '') return undefined;
  return tenant === '' && only === undefined ? 'shared' : 'tenant';
}
