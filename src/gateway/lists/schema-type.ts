import { editObject, findMember, membersOf } from '../rpc/raw.ts';

/**
 * The change that gives a tool's input schema the `"type":"object"` that MCP requires (2026-07-28 schema, Tool), where
 * its server left it out. SDKs that check it refuse the whole list for one such tool, and on the merged endpoint that
 * would be the tools of every other server too. A schema of another type stays: there is nothing right to make of it.
 */
export function schemaTypeChange(rawTool: string): { inputSchema?: string } {
  const span = findMember(membersOf(rawTool), 'inputSchema');
  const raw = span && rawTool.slice(span.start, span.end);
  if (!raw?.startsWith('{')) return { inputSchema: '{"type":"object"}' };
  return findMember(membersOf(raw), 'type') ? {} : { inputSchema: editObject(raw, { type: '"object"' }) };
}
