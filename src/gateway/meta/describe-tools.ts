import { itemNamed, type ViewItem } from '../lists/view.ts';
import { invalidParams, noSuchTool } from '../refusals.ts';
import { closestNames } from './closest.ts';
import type { OwnTools } from './own-tools.ts';
import type { ToolIndexes } from './tool-indexes.ts';
import { mostDescribed, type MetaAnswer } from './tools.ts';

/** Of all definitions in one answer, in characters. */
const mostText = 200_000;
/** Names that are not there of which the nearest are looked for: each is a search. */
const mostSearched = 5;

/**
 * Whole definitions, each byte as in tools/list. Text only: as structured content it would be the same once more, and
 * schemas are long.
 */
export async function describeTools(
  indexes: ToolIndexes,
  own: OwnTools,
  asked: Readonly<Record<string, unknown>>,
): Promise<MetaAnswer> {
  const names = namesIn(asked['names'] ?? asked['name']);
  const found: ViewItem[] = [];
  const notFound: { name: string; closest: string[] }[] = [];
  for (const name of names) {
    const item = itemNamed(own.view, name);
    if (item) found.push(item);
    else {
      const closest = notFound.length < mostSearched ? await closestNames(indexes, own, name) : [];
      notFound.push({ name: name.slice(0, 100), closest });
    }
  }
  const [first] = notFound;
  if (found.length === 0 && first) throw noSuchTool(first.name, first.closest);
  const { fitting, left } = withinBounds(found);
  const parts = [
    `"tools":[${fitting.map((item) => item.raw).join(',')}]`,
    ...(notFound.length > 0 ? [`"notFound":${JSON.stringify(notFound)}`] : []),
    ...(left.length > 0 ? [`"leftOff":${JSON.stringify(left)}`] : []),
  ];
  return { text: `{${parts.join(',')}}`, isStructured: false };
}

/** A list; models also send one name, or the list as JSON text. */
function namesIn(given: unknown): string[] {
  const names = typeof given === 'string' ? listIn(given) : given;
  const ok = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string');
  if (!ok) throw invalidParams('"names" must be a list of tool names, as search_tools returned them.');
  if (names.length > mostDescribed) throw invalidParams(`"names" may hold at most ${mostDescribed} names.`);
  return [...new Set<string>(names)];
}

function listIn(text: string): unknown {
  if (!text.trimStart().startsWith('[')) return [text];
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The first is always there; what no longer fits is named, to be asked for by itself. */
function withinBounds(items: readonly ViewItem[]): { fitting: readonly ViewItem[]; left: string[] } {
  let length = 0;
  const count = items.findIndex((item, index) => {
    length += item.raw.length;
    return index > 0 && length > mostText;
  });
  if (count < 0) return { fitting: items, left: [] };
  return { fitting: items.slice(0, count), left: items.slice(count).map(({ name }) => name) };
}
