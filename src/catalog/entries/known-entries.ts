import type { Mistake } from '../../platform/mistakes.ts';
import type { CatalogEntry, CatalogFile } from '../contract.ts';
import { indexEntries, type SearchEntries } from './search-entries.ts';
import { shippedEntries, shippedFiles } from './shipped.ts';

export interface KnownEntry extends CatalogEntry {
  /** From the config file of this installation. */
  readonly isPrivate: boolean;
}

/** The entries as they are at the moment: the shipped ones, and those of the config file, which may change. */
export interface KnownEntries {
  /** By id. */
  all(): readonly KnownEntry[];
  find(id: string): KnownEntry | undefined;
  /** What fits, best first. */
  search(text: string): KnownEntry[];
}

interface Picture {
  readonly of: CatalogFile;
  readonly byId: ReadonlyMap<string, KnownEntry>;
  readonly search: SearchEntries;
}

/** `privateEntries` is asked each time; the same list means that nothing changed. */
export function createKnownEntries(privateEntries: () => CatalogFile): KnownEntries {
  const shipped = shippedEntries();
  let picture: Picture | undefined;
  const current = (): Picture => {
    const file = privateEntries();
    if (picture?.of !== file) picture = pictureOf(shipped, file);
    return picture;
  };
  return {
    all: () => [...current().byId.values()],
    find: (id) => current().byId.get(id),
    search(text) {
      const { byId, search } = current();
      return search(text).flatMap((id) => byId.get(id) ?? []);
    },
  };
}

function pictureOf(shipped: readonly CatalogEntry[], file: CatalogFile): Picture {
  const all = new Map<string, KnownEntry>();
  for (const entry of shipped) all.set(entry.id, { ...entry, isPrivate: false });
  for (const { replaces: _, ...entry } of file) all.set(entry.id, { ...entry, isPrivate: true });
  const sorted = [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { of: file, byId: new Map(sorted.map((entry) => [entry.id, entry])), search: indexEntries(sorted) };
}

/** Entries of the config file whose ids are taken. */
export function clashingEntries(file: CatalogFile): Mistake[] {
  if (file.length === 0) return [];
  const shipped = new Set(shippedIds());
  const ids = file.map(({ id }) => id);
  return file.flatMap(({ id, replaces }, at): Mistake[] => {
    const path = ['catalog', at, 'id'];
    if (id === 'categories') return [{ path, message: 'is an address of the API; choose another one' }];
    if (ids.indexOf(id) !== at) return [{ path, message: `is the second entry called "${id}"` }];
    if (shipped.has(id) === replaces) return [];
    if (replaces) return [{ path, message: `replaces a shipped entry, and there is no "${id}"` }];
    const message = `is the id of a shipped entry; choose another one, or say "replaces": true`;
    return [{ path, message }];
  });
}

function shippedIds(): string[] {
  return shippedFiles().flatMap(({ content }) =>
    (Array.isArray(content) ? content : []).map((entry: unknown) =>
      typeof entry === 'object' && entry !== null && 'id' in entry ? String(entry.id) : '',
    ),
  );
}
