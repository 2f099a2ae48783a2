import { type Snapshot, textsFrom } from '../../access/index.ts';
import type { ListItem } from './fetch-list.ts';
import { shownTools } from './shown-tools.ts';

/** What a tool is called, for an administrator. */
export interface NamesGiven {
  readonly shownName: string;
  readonly groupNames: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** By the server's own names: what everybody sees, what each group sees instead, and which names cannot be used. */
export function namesGiven(
  snapshot: Snapshot,
  server: string,
  items: readonly ListItem[],
): (tool: string) => NamesGiven {
  const own = snapshot.servers.get(server)?.definition.toolOverrides;
  const ofServer = own === undefined ? [] : [{ group: null, overrides: own }];
  const shown = namesBy(items, ofServer);
  const groups = [...snapshot.groups.values()].flatMap(({ name, toolOverrides }) => {
    const overrides = Object.hasOwn(toolOverrides, server) ? toolOverrides[server] : undefined;
    if (overrides === undefined) return [];
    return [{ name, overrides, given: namesBy(items, [{ group: name, overrides }, ...ofServer]) }];
  });
  return (tool) => {
    const renaming = groups.filter(
      ({ overrides }) => Object.hasOwn(overrides, tool) && overrides[tool]?.name !== undefined,
    );
    const refused = [
      ...(shown.clashes.get(tool) ?? []).map((name) => ({ name, by: 'the server’s definition' })),
      ...renaming.flatMap(({ name: group, given }) =>
        (given.clashes.get(tool) ?? []).map((name) => ({ name, by: `group ${group}` })),
      ),
    ];
    return {
      shownName: shown.names.get(tool) ?? tool,
      groupNames: Object.fromEntries(
        renaming.map(({ name, given }) => [name, given.names.get(tool) ?? tool]),
      ),
      warnings: refused.map(
        ({ name, by }) => `${by} calls it ${name}, but another tool has that name, so it keeps ${tool}.`,
      ),
    };
  };
}

function namesBy(items: readonly ListItem[], held: Parameters<typeof textsFrom>[0]) {
  const { tools, clashes } = shownTools(items, textsFrom(held));
  return {
    names: new Map(tools.map(({ key, name }) => [key, name])),
    clashes: new Map(clashes.map(({ tool, name }) => [tool, [name]])),
  };
}
