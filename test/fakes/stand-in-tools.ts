// The tools of stand-ins for servers of the catalog: 15 to 30 each, every third server gives them out page by page.
import type { Kind } from './hostile/kinds.ts';
import { type FakeTool, type FakeTools, usualTools } from './hostile/tools.ts';
import type { RpcMessage } from './hostile/wire.ts';

const verbs = ['get', 'list', 'search', 'create', 'update', 'delete'] as const;
const nouns = ['users', 'projects', 'tickets', 'reports', 'files'] as const;
const pageLength = 10;

/** Names of the tools of the server that is the `at`-th of all. */
export function standInTools(at: number): string[] {
  const all = nouns.flatMap((noun) => verbs.map((verb) => `${verb}_${noun}`));
  return all.slice(0, 15 + ((at * 7) % 16));
}

/** What a stand-in is, but for its transport. Each tool answers with what the server was shown of the gate. */
export function standInKind(o: { at: number; modern: boolean; tools: readonly string[] }): Kind {
  const tool: FakeTool = {
    call: ({ host, request, wire }) =>
      JSON.stringify({ server: host.name, tool: request.params?.['name'], ...shown(wire.seen) }),
  };
  const tools: FakeTools = { ...usualTools, ...Object.fromEntries(o.tools.map((name) => [name, tool])) };
  const described = o.tools.map(describe);
  const isPaged = o.at % 3 === 0;
  return {
    ...(o.modern && { modern: true }),
    tools,
    page: (cursor) => {
      if (!isPaged) return { tools: described };
      const from = Number(cursor ?? 0);
      const next = from + pageLength;
      const tools = described.slice(from, next);
      return next < described.length ? { tools, nextCursor: String(next) } : { tools };
    },
  };
}

/** What the wire was told to show, which is JSON in one member. */
function shown(seen: Readonly<Record<string, string>>): object {
  return JSON.parse(seen['shown'] ?? '{}') as object;
}

function describe(name: string): RpcMessage {
  const [verb = '', noun = ''] = name.split('_');
  return {
    name,
    title: `${verb} ${noun}`,
    description: `Use this to ${verb} ${noun} of the workspace. Give the id of the workspace; without a filter all ${noun} count.`,
    inputSchema: {
      type: 'object',
      properties: {
        workspace: { type: 'string', description: 'Id of the workspace' },
        filter: { type: 'string', description: `Which ${noun}, as a query` },
        limit: { type: 'integer', minimum: 1, maximum: 100 },
      },
      required: [],
    },
    annotations: { readOnlyHint: verb === 'get' || verb === 'list' || verb === 'search' },
  };
}
