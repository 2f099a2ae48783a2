import type { Span } from '../../platform/tracing/tracer.ts';
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
 * The trace that the request to the server is part of: that of the client's HTTP request, unless the gate has a `span`
 * of its own in between. What the client wrote in `_meta` passes as part of the params; a span takes its place there.
 * Undefined where there is none.
 */
export function tracing(call: Call, target: Target, span?: Span): Tracing | undefined {
  const headers = span ? withBaggage(span.headers, call) : headersOf(call);
  if (!headers) return undefined;
  const hasHeaders = target.server.definition.type !== 'stdio';
  const paramsWith = (rawParams: string | undefined) => {
    if (span) return withSpan(rawParams, headers, hasHeaders);
    return hasHeaders ? rawParams : withTrace(rawParams, headers);
  };
  return { headers, paramsWith };
}

function headersOf(call: Call): Record<string, string> | undefined {
  if (call.header('traceparent') === undefined && call.header('baggage') === undefined) return undefined;
  const headers: Record<string, string> = {};
  for (const name of names) {
    const value = call.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

function withBaggage(headers: Span['headers'], { header }: Call): Span['headers'] {
  const baggage = header('baggage');
  return baggage === undefined ? headers : { ...headers, baggage };
}

function withTrace(rawParams = '{}', headers: Readonly<Record<string, string>> = {}): string {
  const { rawMeta, meta } = metaIn(rawParams);
  if (!isObject(meta) || names.some((name) => name in meta)) return rawParams;
  const added = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, JSON.stringify(value)]),
  );
  return editObject(rawParams, { _meta: editObject(rawMeta, added) });
}

/** Two parents would be one too many: where the client wrote one, there is the gate's, whatever else says it. */
function withSpan(
  rawParams: string | undefined,
  headers: Readonly<Record<string, string>>,
  hasHeaders: boolean,
): string | undefined {
  // A key may be spelled with escapes.
  if (hasHeaders && (rawParams === undefined || !/trace|\\u/.test(rawParams))) return rawParams;
  const { rawMeta, meta } = metaIn(rawParams ?? '{}');
  const isTheirs = isObject(meta) && ('traceparent' in meta || 'tracestate' in meta);
  if (!isObject(meta) || (hasHeaders && !isTheirs)) return rawParams;
  const { traceparent, tracestate, baggage } = headers;
  const changes = {
    traceparent: textOf(traceparent),
    tracestate: textOf(tracestate),
    ...(!hasHeaders && baggage !== undefined && !('baggage' in meta) && { baggage: textOf(baggage) }),
  };
  return editObject(rawParams ?? '{}', { _meta: editObject(rawMeta, changes) });
}

function textOf(value: string | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function metaIn(rawParams: string): { rawMeta: string; meta: unknown } {
  const span = findMember(membersOf(rawParams), '_meta');
  const rawMeta = span ? rawParams.slice(span.start, span.end) : '{}';
  const meta: unknown = JSON.parse(rawMeta);
  return { rawMeta, meta };
}
