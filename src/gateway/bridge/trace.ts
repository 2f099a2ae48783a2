import type { Call } from '../call.ts';
import { isObject } from '../rpc/message.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import type { Target } from '../upstreams/target.ts';

/** W3C trace context: as headers, and as keys of `_meta` (2026-07-28 basic/index.mdx#meta). */
const names = ['traceparent', 'tracestate', 'baggage'] as const;

export interface Tracing {
  readonly headers: Readonly<Record<string, string>>;
  /** Params for a server that has no headers: with the trace in `_meta`, where the client put none itself. */
  paramsWith(rawParams: string | undefined): string | undefined;
}

/**
 * The trace that the client's HTTP request is part of, for the request to the server; what the client wrote in `_meta`
 * passes as part of the params. Undefined where there is none.
 */
export function tracing(call: Call, target: Target): Tracing | undefined {
  if (call.header('traceparent') === undefined && call.header('baggage') === undefined) return undefined;
  const headers: Record<string, string> = {};
  for (const name of names) {
    const value = call.header(name);
    if (value !== undefined) headers[name] = value;
  }
  const hasHeaders = target.server.definition.type !== 'stdio';
  return { headers, paramsWith: (rawParams) => (hasHeaders ? rawParams : withTrace(rawParams, headers)) };
}

function withTrace(rawParams = '{}', headers: Readonly<Record<string, string>> = {}): string {
  const span = findMember(membersOf(rawParams), '_meta');
  const rawMeta = span ? rawParams.slice(span.start, span.end) : '{}';
  const parsed: unknown = JSON.parse(rawMeta);
  if (!isObject(parsed) || names.some((name) => name in parsed)) return rawParams;
  const added = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, JSON.stringify(value)]),
  );
  return editObject(rawParams, { _meta: editObject(rawMeta, added) });
}
