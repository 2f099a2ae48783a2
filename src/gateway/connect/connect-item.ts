import type { SnapshotServer } from '../../access/index.ts';
import type { ListItem } from '../lists/fetch-list.ts';
import { texts } from './texts.ts';

/** The one tool of a server whose account the caller has yet to connect. */
export const connectToolName = 'connect_account';

// A memo of a pure function: it dies with the picture of the server.
const items = new WeakMap<SnapshotServer, ListItem>();

/** As tools/list shows it, under the name that it has at `/mcp/{server}`. */
export function connectTool(server: SnapshotServer): ListItem {
  const known = items.get(server);
  if (known) return known;
  const name = server.definition.displayName ?? server.id;
  const made: ListItem = {
    key: connectToolName,
    raw: JSON.stringify({
      name: connectToolName,
      title: texts.tool.title(name),
      description: texts.tool.description(name),
      inputSchema: { type: 'object', properties: {} },
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    }),
  };
  items.set(server, made);
  return made;
}
