import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { type CatalogEntry, catalogEntry } from '../contract.ts';

/** One file for each category, in this folder. */
const folder = new URL('./', import.meta.url);

/** The shipped entries as they are written down, by file; `scripts/catalog.ts` checks them and rewrites versions. */
export function shippedFiles(): { file: string; url: URL; content: unknown }[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => {
    const url = new URL(name, folder);
    return { file: `src/catalog/entries/${name}`, url, content: JSON.parse(readFileSync(url, 'utf8')) };
  });
}

/** The servers that come with Toolgate, by id. */
export function shippedEntries(): CatalogEntry[] {
  const entries = shippedFiles().flatMap(({ content }) => z.array(catalogEntry).parse(content));
  return entries.sort((a, b) => (a.id < b.id ? -1 : 1));
}
