import type { ToolTexts } from '../../access/index.ts';
import { editObject } from '../rpc/raw.ts';
import type { ListItem } from './fetch-list.ts';

/** A tool under the name that callers know it by; without a server's id before it. */
export interface ShownTool {
  /** The name that its server gives it. */
  readonly key: string;
  readonly name: string;
  readonly raw: string;
}

/** A tool whose new name could not be used, because another tool has it. */
export interface NameClash {
  readonly tool: string;
  readonly name: string;
}

/**
 * The tools of one server with the names, titles and descriptions that the caller is told. A name never means another
 * tool than at the server: who has it there keeps it, even where that tool itself is called something else now, and
 * the renamed one falls back to its own. Without texts every byte stays.
 */
export function shownTools(
  items: readonly ListItem[],
  texts: ToolTexts | undefined,
): { tools: readonly ShownTool[]; clashes: readonly NameClash[] } {
  if (texts === undefined)
    return { tools: items.map(({ key, raw }) => ({ key, name: key, raw })), clashes: [] };
  const taken = new Set(items.map(({ key }) => key));
  const clashes: NameClash[] = [];
  const tools = items.map(({ key, raw }) => {
    const override = texts.byTool.get(key);
    if (override === undefined) return { key, name: key, raw };
    const { name: wanted = key, title, description } = override;
    const free = wanted === key || (texts.toolOf.get(wanted) === key && !taken.has(wanted));
    if (!free) clashes.push({ tool: key, name: wanted });
    const name = free ? wanted : key;
    const changes = {
      ...(name !== key && { name: JSON.stringify(name) }),
      ...(title !== undefined && { title: JSON.stringify(title) }),
      ...(description !== undefined && { description: JSON.stringify(description) }),
    };
    return { key, name, raw: Object.keys(changes).length === 0 ? raw : editObject(raw, changes) };
  });
  return { tools, clashes };
}
