// What mcpo 0.0.20 makes of a tool's answer, byte for byte where the answer is JSON already.
import type { Call } from '../../call.ts';
import { isObject } from '../../rpc/message.ts';
import { rpcCode } from '../../rpc/protocol.ts';
import { findMember, membersOf } from '../../rpc/raw.ts';

interface HttpAnswer {
  readonly status: number;
  /** JSON text. */
  readonly text: string;
}

/** One content item is the value itself, several are a list; what the tool calls an error is a 500. */
export function httpAnswer(response: NonNullable<Call['response']>): HttpAnswer {
  if (response.kind === 'local' || response.rawResult !== undefined)
    return fromResult(response.rawResult ?? '{}');
  const { code, message } = response.error ?? { code: rpcCode.internal, message: 'Internal error' };
  const data = memberOf(response.rawError ?? '{}', 'data');
  const rest = data === undefined || data === 'null' ? '' : `,"data":${data}`;
  return { status: statusOf(code), text: `{"detail":{"message":${JSON.stringify(message)}${rest}}}` };
}

/** HTTP status for a JSON-RPC code, as mcpo has them. */
export function statusOf(code: number): number {
  if (code === rpcCode.parse || code === rpcCode.invalidRequest) return 400;
  if (code === rpcCode.methodNotFound) return 404;
  return code === rpcCode.invalidParams ? 422 : 500;
}

function fromResult(rawResult: string): HttpAnswer {
  const result: unknown = JSON.parse(rawResult);
  const content = isObject(result) && Array.isArray(result['content']) ? result['content'] : [];
  if (isObject(result) && result['isError'] === true) {
    const [first] = content;
    const message = isText(first) ? first.text : 'Unknown tool execution error';
    return { status: 500, text: JSON.stringify({ detail: { message } }) };
  }
  const values = content.flatMap(jsonOf);
  const [only] = values;
  return { status: 200, text: values.length === 1 && only !== undefined ? only : `[${values.join(',')}]` };
}

/** JSON text; nothing for kinds that mcpo leaves out: audio, links to resources and what is unknown. */
function jsonOf(item: unknown): string[] {
  if (isText(item)) return [isJson(item.text) ? item.text.trim() : JSON.stringify(item.text)];
  if (!isObject(item)) return [];
  if (item['type'] === 'image')
    return [JSON.stringify(`data:${String(item['mimeType'])};base64,${String(item['data'])}`)];
  return item['type'] === 'resource' ? ['"Embedded resource not supported yet."'] : [];
}

function isText(item: unknown): item is { readonly text: string } {
  return isObject(item) && item['type'] === 'text' && typeof item['text'] === 'string';
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function memberOf(raw: string, key: string): string | undefined {
  const span = findMember(membersOf(raw), key);
  return span && raw.slice(span.start, span.end);
}
