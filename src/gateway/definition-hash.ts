import { createHash } from 'node:crypto';
import { elementsOf, membersOf, type Span } from './rpc/raw.ts';

/** What a model reads of a tool, and what says how it may be called: a change of anything else is no change. */
const pinned = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'];

/** Beyond these a hash is of the text as it is, because each level is one more look at everything inside it. */
const deepest = 40;
const longest = 256 * 1024;

/**
 * SHA-256 of a tool's definition. The order of keys, white space and the spelling of characters do not matter;
 * numbers count as they are written, so that large ones are not rounded to the same. `raw` is JSON text of the tool.
 */
export function definitionHash(raw: string): string {
  const members = membersOf(raw).filter(({ key }) => pinned.includes(key));
  const text =
    raw.length > longest
      ? members.map(({ key, start, end }) => `${key}:${raw.slice(start, end)}`).join('\n')
      : canonicalMembers(raw, members, 0);
  return createHash('sha256').update(text).digest('base64url');
}

function canonicalMembers(raw: string, members: readonly (Span & { key: string })[], depth: number): string {
  // Of two with one name parsers take the one or the other, so both count; sorting keeps their order.
  const sorted = members.toSorted((a, b) => Number(a.key > b.key) - Number(a.key < b.key));
  return `{${sorted.map((one) => `${JSON.stringify(one.key)}:${canonical(raw, one, depth + 1)}`).join(',')}}`;
}

function canonical(raw: string, { start, end }: Span, depth: number): string {
  const value = raw.slice(start, end);
  if (depth > deepest) return value;
  if (value.startsWith('{')) return canonicalMembers(value, membersOf(value), depth);
  if (value.startsWith('['))
    return `[${elementsOf(value)
      .map((one) => canonical(value, one, depth + 1))
      .join(',')}]`;
  return value.startsWith('"') ? JSON.stringify(JSON.parse(value)) : value;
}
