import { isObject } from '../rpc/message.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';

/**
 * Results of tools are any JSON value in the modern era and objects in the legacy one. What is no object goes to legacy
 * callers as `{"result": …}`, in the schema as in the result, the way the official SDK does it (SEP-2106).
 */

/** Does the schema say that the result is an object? Without a type at its root it does not. */
export function isObjectSchema(schema: unknown): boolean {
  return isObject(schema) && schema['type'] === 'object';
}

/** A tool of a modern server as a legacy caller sees it; JSON text. The same text where nothing has to change. */
export function toolForLegacy(raw: string): string {
  const span = raw.includes('"outputSchema"') ? findMember(membersOf(raw), 'outputSchema') : undefined;
  if (!span) return raw;
  const schema: unknown = JSON.parse(raw.slice(span.start, span.end));
  if (isObjectSchema(schema)) return raw;
  return editObject(raw, { outputSchema: JSON.stringify(wrapped(schema)) });
}

/** The result of `tools/call` for a legacy caller. `isWrapped`: the tool's schema was wrapped, so its results are too. */
export function structuredForLegacy(rawResult: string, isWrapped: boolean): string {
  const span = findMember(membersOf(rawResult), 'structuredContent');
  if (!span) return rawResult;
  const raw = rawResult.slice(span.start, span.end);
  if (raw.startsWith('{') && !isWrapped) return rawResult;
  const changes: Record<string, string> = { structuredContent: `{"result":${raw}}` };
  // Old clients read the text alone, and a server that wrote none meant its value to be seen.
  if (!raw.startsWith('{') && !hasText(rawResult)) changes['content'] = withText(rawResult, raw);
  return editObject(rawResult, changes);
}

function hasText(rawResult: string): boolean {
  const result: unknown = JSON.parse(rawResult);
  const content = isObject(result) && Array.isArray(result['content']) ? result['content'] : [];
  return content.some((item: unknown) => isObject(item) && item['type'] === 'text');
}

function withText(rawResult: string, raw: string): string {
  const span = findMember(membersOf(rawResult), 'content');
  const before = span ? rawResult.slice(span.start, span.end) : '[]';
  const inner = before.startsWith('[') ? before.slice(1, -1).trim() : '';
  const text = `{"type":"text","text":${JSON.stringify(raw)}}`;
  return `[${inner === '' ? text : `${inner},${text}`}]`;
}

function wrapped(schema: unknown): unknown {
  const dialect = isObject(schema) && typeof schema['$schema'] === 'string' ? schema['$schema'] : undefined;
  return {
    ...(dialect !== undefined && { $schema: dialect }),
    type: 'object',
    properties: { result: moved(schema, 'schema', 0) },
    required: ['result'],
  };
}

/** Members whose values are data, and members whose values are schemas by name. */
const data = new Set(['const', 'enum', 'default', 'examples']);
const named = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
]);
const deepest = 200;

/** References into the document follow it to its new place. A schema with an id of its own is a document itself. */
function moved(node: unknown, as: 'schema' | 'names', depth: number): unknown {
  if (depth > deepest) return node;
  if (Array.isArray(node)) return node.map((item: unknown) => moved(item, 'schema', depth + 1));
  if (!isObject(node) || (as === 'schema' && hasBase(node))) return node;
  const entries = Object.entries(node).map(([key, value]): [string, unknown] => {
    if (as === 'names') return [key, moved(value, 'schema', depth + 1)];
    if ((key === '$ref' || key === '$dynamicRef') && typeof value === 'string') return [key, movedRef(value)];
    if (data.has(key)) return [key, value];
    return [key, moved(value, named.has(key) ? 'names' : 'schema', depth + 1)];
  });
  return Object.fromEntries(entries);
}

function hasBase({ $id }: Readonly<Record<string, unknown>>): boolean {
  return $id !== undefined && !(typeof $id === 'string' && $id.startsWith('#'));
}

function movedRef(ref: string): string {
  if (ref === '#') return '#/properties/result';
  return ref.startsWith('#/') ? `#/properties/result${ref.slice(1)}` : ref;
}
