import { readFileSync, statSync } from 'node:fs';
import { parseJsonc } from '../../platform/jsonc.ts';
import { type CatalogFile, catalogFile } from '../contract.ts';
import { createKnownEntries } from '../entries/known-entries.ts';
import { type PinnedCommand, pinnedCommands } from './pinned-commands.ts';

/**
 * What may be started for servers of the catalog, where only the config file is at hand: the commands of the shipped
 * entries, and of those in the file as it is when somebody asks. A file that cannot be read adds nothing.
 */
export function commandsOfFile(configFile: string): () => readonly PinnedCommand[] {
  let seen = '';
  let own: CatalogFile = [];
  let commands: readonly PinnedCommand[] | undefined;
  const entries = createKnownEntries(() => own);
  return () => {
    const mark = markOf(configFile);
    if (commands !== undefined && mark === seen) return commands;
    seen = mark;
    own = ownEntries(configFile);
    commands = pinnedCommands(entries.all());
    return commands;
  };
}

/** Changes when the file does. */
function markOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? 'none' : `${found.mtimeNs} ${found.size} ${found.ino}`;
}

function ownEntries(file: string): CatalogFile {
  try {
    const { value, errors } = parseJsonc(readFileSync(file, 'utf8'));
    const catalog: unknown =
      typeof value === 'object' && value !== null && 'catalog' in value ? value.catalog : [];
    return errors.length > 0 ? [] : (catalogFile.safeParse(catalog).data ?? []);
  } catch {
    // The gate tells the operator what is wrong with it; here it allows nothing.
    return [];
  }
}
