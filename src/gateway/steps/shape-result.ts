import { defaultMaxResultChars } from '../../access/contract.ts';
import type { Call, Gate } from '../call.ts';
import { listedTool } from '../pins.ts';
import { findMember, membersOf } from '../rpc/raw.ts';
import { type Cutting, cutResult, cutTask } from '../shaping/cut-result.ts';
import { readerOf } from '../shaping/serve-page.ts';
import type { Target } from '../upstreams/target.ts';

/** The first legacy revision with `resource_link` (2025-06-18 server/tools.mdx). */
const firstWithLinks = '2025-06-18';

const cuts = new Map<string, (rawResult: string, cutting: Cutting) => string | undefined>([
  ['tools/call', cutResult],
  ['tasks/get', cutTask],
]);

/** Takes care that one tool's result does not fill the context of a model. What is short enough is not touched. */
export function shapeResult(call: Call, gate: Gate): void {
  const { response, tool, message } = call;
  const [target] = call.targets;
  if (response?.kind !== 'response' || response.rawResult === undefined || !target || tool === null) return;
  const cut = message?.kind === 'request' ? cuts.get(message.method) : undefined;
  if (!cut) return;
  const limit = target.server.definition.maxResultChars ?? defaultMaxResultChars;
  // JSON text is never shorter than the text in it.
  if (limit === 0 || response.rawResult.length <= limit) return;
  const rawResult = cut(response.rawResult, {
    limit,
    hasOutputSchema: () => hasOutputSchema(call, gate, target),
    links: call.era === 'modern' || (call.header('mcp-protocol-version') ?? '') >= firstWithLinks,
    keep: (text) => {
      if (!canReadOn(call)) return undefined;
      const of = { reader: readerOf(call), server: target.server.id, tool, text, pageChars: limit };
      return gate.resultPages.keep(of);
    },
  });
  if (rawResult !== undefined) call.response = { ...response, rawResult };
}

/** HTTP routes have no resources, and Open WebUI does not read any. */
function canReadOn({ face, audience }: Call): boolean {
  return face !== 'openapi' && audience !== 'open-webui';
}

/** Of a tool that is not on the list nobody knows, so it is taken to have one. */
function hasOutputSchema(call: Call, gate: Gate, target: Target): boolean {
  const listed = listedTool(gate.lists.peek(target, call.era, call.capabilities), call.tool ?? '');
  return listed === undefined || findMember(membersOf(listed.raw), 'outputSchema') !== undefined;
}
