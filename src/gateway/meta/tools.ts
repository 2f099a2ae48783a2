import type { SnapshotServer } from '../../access/index.ts';

/** Tools of the gate that it answers itself; `call_tool` becomes the call that it stands for. */
export type LocalMetaTool = 'search_tools' | 'describe_tools';

/** What a tool of the gate answers with. */
export interface MetaAnswer {
  /** JSON text, which a model reads. */
  readonly text: string;
  /** The same is structured content too. */
  readonly isStructured: boolean;
}

const callToolName = 'call_tool';

/** Results of one search. */
export const defaultLimit = 5;
export const mostResults = 25;
/** Tools described at once. */
export const mostDescribed = 20;
/** Of a question, in characters. */
export const longestQuery = 500;

export function isMetaTool(name: unknown): boolean {
  return name === callToolName || isLocal(name);
}

export function isLocal(name: unknown): name is LocalMetaTool {
  return name === 'search_tools' || name === 'describe_tools';
}

const result = {
  type: 'object',
  properties: {
    name: { type: 'string', description: 'Pass it to call_tool or describe_tools exactly as it is.' },
    server: { type: 'string' },
    title: { type: 'string' },
    description: { type: 'string' },
    required: { type: 'array', items: { type: 'string' }, description: 'Arguments that must be given.' },
    optional: { type: 'array', items: { type: 'string' } },
  },
  required: ['name', 'server', 'description', 'required', 'optional'],
};

const names = { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: mostDescribed };

const searchTool = {
  name: 'search_tools',
  title: 'Search tools',
  inputSchema: {
    type: 'object',
    properties: {
      query: {
        type: 'string',
        maxLength: longestQuery,
        description:
          'What the tool should do, in a few plain English words: action, thing and product if known, such as "create calendar event" or "gitlab failed job log". Empty: list tools by name.',
      },
      limit: {
        type: 'integer',
        minimum: 1,
        maximum: mostResults,
        default: defaultLimit,
        description: 'How many tools to return.',
      },
      server: { type: 'string', description: 'Only tools of this server (its id).' },
    },
    required: ['query'],
  },
  outputSchema: {
    type: 'object',
    properties: {
      tools: { type: 'array', items: result },
      note: { type: 'string', description: 'What else to know or to try.' },
    },
    required: ['tools'],
  },
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
};

const describeTool = {
  name: 'describe_tools',
  title: 'Describe tools',
  description:
    'Returns the complete definitions, with the JSON Schema of the arguments, of tools that search_tools found. Use it before call_tool whenever the arguments are not obvious from the search result.',
  inputSchema: {
    type: 'object',
    properties: { names: { ...names, description: 'Names exactly as search_tools returned them.' } },
    required: ['names'],
  },
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
};

const callTool = {
  name: callToolName,
  title: 'Call a tool',
  description:
    'Calls one of the tools that search_tools found and returns its result. What it does, and whether it changes anything, is up to that tool: read its description first.',
  inputSchema: {
    type: 'object',
    properties: {
      name: { type: 'string', description: 'Name exactly as search_tools returned it.' },
      arguments: {
        type: 'object',
        additionalProperties: true,
        description: 'Arguments of that tool, as describe_tools shows them; {} when it takes none.',
      },
    },
    required: ['name', 'arguments'],
  },
  annotations: { readOnlyHint: false, openWorldHint: true },
};

const later = [describeTool, callTool].map((tool) => JSON.stringify(tool)).join(',');
const longestServers = 1_200;

/** JSON text `"tools":[…]`: the three tools, the first of which names the servers that the caller has. */
export function metaTools(servers: readonly SnapshotServer[], isStructured: boolean): string {
  const { outputSchema, annotations, ...rest } = searchTool;
  const description = `Finds the right tool for a task. Many more tools exist than you see here; search before you say that something cannot be done. Returns the best matches with their arguments; call one with call_tool.${servedBy(servers)}`;
  const first = { ...rest, description, ...(isStructured && { outputSchema }), annotations };
  return `"tools":[${JSON.stringify(first)},${later}]`;
}

function servedBy(servers: readonly SnapshotServer[]): string {
  let listed = '';
  for (const [index, { id, definition }] of servers.entries()) {
    const name = definition.displayName ?? id;
    const next = name.toLowerCase() === id ? id : `${id} (${name})`;
    if (listed.length + next.length > longestServers) {
      listed += ` and ${servers.length - index} more`;
      break;
    }
    listed += `${listed === '' ? '' : ', '}${next}`;
  }
  return listed === '' ? '' : ` Servers: ${listed}.`;
}
