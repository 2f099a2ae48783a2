// Other names, titles and descriptions of tools: what the server's definition and the caller's groups say together.
// Texts only: who may call a tool is decided, and recorded, by the name that its server gives it.
import type { ServerDefinition, ToolOverride, ToolOverrides } from './contract.ts';
import type { Standing } from './standing.ts';

/** Where overrides come from: a group's name, or null for the server's own definition. */
export interface OverridesHeld {
  readonly group: string | null;
  readonly overrides: ToolOverrides;
}

/** What one caller is told of the tools of one server. */
export interface ToolTexts {
  /** By the name that the server gives the tool. */
  readonly byTool: ReadonlyMap<string, ToolOverride>;
  /** New name to the server's own; of two tools that would get one name, the first by its own name has it. */
  readonly toolOf: ReadonlyMap<string, string>;
  /** Equal for two callers that are told the same. */
  readonly key: string;
}

/** What holds for one server, strongest first: groups by name, then the server's own. */
export function overridesOn(
  server: { readonly id: string; readonly definition: ServerDefinition },
  standing: Standing,
): OverridesHeld[] {
  const own = server.definition.toolOverrides;
  const ofGroups = [...standing.groups].flatMap(({ name, toolOverrides }) => {
    const overrides = Object.hasOwn(toolOverrides, server.id) ? toolOverrides[server.id] : undefined;
    return overrides === undefined ? [] : [{ group: name, overrides }];
  });
  ofGroups.sort((a, b) => (a.group < b.group ? -1 : 1));
  return own === undefined ? ofGroups : [...ofGroups, { group: null, overrides: own }];
}

/** All of it together; each text is taken from the strongest that states it. Undefined: nothing is stated. */
export function textsFrom(held: readonly OverridesHeld[]): ToolTexts | undefined {
  const merged = new Map<string, ToolOverride>();
  for (const { overrides } of held.toReversed()) {
    for (const [tool, override] of Object.entries(overrides))
      merged.set(tool, { ...merged.get(tool), ...override });
  }
  if (merged.size === 0) return undefined;
  const sorted = [...merged].sort(([a], [b]) => (a < b ? -1 : 1));
  const toolOf = new Map<string, string>();
  for (const [tool, { name }] of sorted) if (name !== undefined && !toolOf.has(name)) toolOf.set(name, tool);
  const key = JSON.stringify(
    sorted.map(([tool, { name, title, description }]) => [tool, name ?? null, title, description]),
  );
  return { byTool: new Map(sorted), toolOf, key };
}

/** Characters that a name may have on the merged endpoint, with the server's id and `__` before it. */
const longestMerged = 47;

/** New names that are too long for their server, each with the room that there is. */
export function tooLongNames(
  server: string,
  overrides: ToolOverrides,
): { tool: string; name: string; room: number }[] {
  const room = longestMerged - server.length - 2;
  return Object.entries(overrides).flatMap(([tool, { name }]) =>
    name !== undefined && name.length > room ? [{ tool, name, room }] : [],
  );
}
