import { defaultMaxResultChars } from '../../access/contract.ts';
import { toolForLegacy } from '../bridge/output-schema.ts';
import type { Call, Gate } from '../call.ts';
import { listedTool } from '../pins.ts';
import { findMember, membersOf } from '../rpc/raw.ts';
import type { Target } from '../upstreams/target.ts';
import type { Cutting } from './cut-result.ts';
import { readerOf } from './serve-page.ts';

/** The first legacy revision with `resource_link` (2025-06-18 server/tools.mdx). */
const firstWithLinks = '2025-06-18';

interface Long {
  readonly target: Target;
  readonly tool: string;
  /** Of the JSON text that holds the result. */
  readonly characters: number;
}

/** How a result of this tool is cut for whoever made the call; undefined: it is short enough as it is. */
export function cuttingFor(call: Call, gate: Gate, { target, tool, characters }: Long): Cutting | undefined {
  const limit = target.server.definition.maxResultChars ?? defaultMaxResultChars;
  // JSON text is never shorter than the text in it.
  if (limit === 0 || characters <= limit) return undefined;
  const server = target.server.id;
  return {
    limit,
    // A route answers with the content alone.
    showsData: call.face !== 'openapi',
    outputSchema: () => outputSchema(call, gate, target, tool),
    uriChars: canReadOn(call) ? gate.resultPages.uriChars({ server, tool }) : 0,
    links: call.era === 'modern' || (call.header('mcp-protocol-version') ?? '') >= firstWithLinks,
    keep: (text) => {
      if (!canReadOn(call)) return undefined;
      const of = { reader: readerOf(call), server, tool, text, pageChars: limit };
      return gate.resultPages.keep(of);
    },
  };
}

/** HTTP routes have no resources, and Open WebUI does not read any. */
function canReadOn({ face, audience }: Call): boolean {
  return face !== 'openapi' && audience !== 'open-webui';
}

/** As the caller sees it. Of a tool that is not on the list nobody knows, so it is taken to have one: `true`. */
function outputSchema(call: Call, gate: Gate, target: Target, tool: string): unknown {
  const known = gate.lists.peek(target, call.era, call.capabilities);
  const listed = listedTool(known, tool);
  if (!listed) return true;
  const isCrossing = call.era === 'legacy' && known.hello?.era === 'modern';
  const raw = isCrossing ? toolForLegacy(listed.raw) : listed.raw;
  const span = findMember(membersOf(raw), 'outputSchema');
  const schema: unknown = span && JSON.parse(raw.slice(span.start, span.end));
  return schema;
}
