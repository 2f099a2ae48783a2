import type { Attributes, Span, TraceParent } from '../../platform/tracing/tracer.ts';
import type { Call, Gate } from '../call.ts';
import { isObject } from '../rpc/message.ts';
import { latestModern } from '../rpc/protocol.ts';
import type { Connection } from '../upstreams/pool.ts';
import type { Target } from '../upstreams/target.ts';

// Names of methods and tools come from callers: one that made up long ones must not fill the place where traces are kept.
const longest = 100;

/**
 * The span of a call, begun when the first one needs it: only then is it known whose part it is, for the client may
 * have said so in the message. Undefined where traces are not wanted.
 */
export function spanOf(call: Call, { observed }: Gate): Span | undefined {
  const { tracer } = observed;
  if (!tracer) return undefined;
  call.span ??= tracer.begin({ name: nameOf(call), at: call.startedAt, parent: parentOf(call) });
  return call.span;
}

/** Ends the span of a call with what is known of it by then. */
export function endSpan(call: Call, gate: Gate): void {
  const span = spanOf(call, gate);
  if (!span) return;
  const isWell = call.outcome === 'ok' || call.outcome === 'cancelled';
  const attributes = () => ({ ...factsOf(call), ...(gate.observed.tracesPeople && personOf(call)) });
  span.end({
    at: gate.clock(),
    name: nameOf(call),
    attributes,
    ...(!isWell && { error: call.reason ?? call.outcome }),
  });
}

/** The span of one request to a server. Its address is told without path and query, which may hold keys. */
export function upstreamSpan(
  call: Call,
  gate: Gate,
  target: Target,
  { hello }: Connection,
): Span | undefined {
  const span = spanOf(call, gate);
  if (!span) return undefined;
  return span.child({
    name: nameOf(call),
    at: gate.clock(),
    attributes: () => ({
      ...messageFacts(call),
      ...placeOf(target),
      'mcp.protocol.version': hello.protocolVersion,
    }),
  });
}

function placeOf({ url: address, server }: Target): Attributes {
  const url = address === undefined ? undefined : new URL(address);
  return {
    'network.transport': url ? 'tcp' : 'pipe',
    'server.address': url?.hostname,
    'server.port': url && Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    'toolgate.server': server.id,
  };
}

/** https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp: the method, and the tool where there is one. */
function nameOf({ message, tool, httpMethod, path }: Call): string {
  if (message?.kind !== 'request' && message?.kind !== 'notification')
    return `${httpMethod} ${path.template}`;
  const { method } = message;
  return (tool === null ? method : `${method} ${tool}`).slice(0, longest);
}

function factsOf(call: Call): Attributes {
  const { servers, era, message } = call;
  return {
    ...messageFacts(call),
    'mcp.protocol.version':
      message && (era === 'modern' ? latestModern : call.header('mcp-protocol-version')?.slice(0, longest)),
    'http.request.method': call.httpMethod,
    'http.route': call.path.template,
    'http.response.status_code': call.status,
    'network.protocol.name': 'http',
    'network.transport': 'tcp',
    'toolgate.request_id': call.requestId,
    'toolgate.face': call.face,
    'toolgate.outcome': call.outcome,
    'toolgate.reason': call.reason ?? undefined,
    'toolgate.tenant': call.tenant?.id,
    'toolgate.server': servers.length === 1 ? servers[0]?.id : undefined,
  };
}

function messageFacts({ message, tool }: Call): Attributes {
  if (message?.kind !== 'request' && message?.kind !== 'notification') return {};
  const isTool = message.method === 'tools/call';
  return {
    'mcp.method.name': message.method.slice(0, longest),
    'jsonrpc.request.id': message.kind === 'request' ? message.rawId.slice(0, longest) : undefined,
    'gen_ai.tool.name': isTool ? tool?.slice(0, longest) : undefined,
    'gen_ai.operation.name': isTool ? 'execute_tool' : undefined,
  };
}

function personOf({ principal, clientIp, header }: Call): Attributes {
  return {
    'user.id': principal?.id,
    'client.address': clientIp,
    'user_agent.original': header('user-agent')?.slice(0, longest),
  };
}

/** What the message says itself counts more than the HTTP request that brought it, which may bring several. */
function parentOf({ message, header }: Call): TraceParent | undefined {
  const meta = message && 'params' in message ? message.params?.['_meta'] : undefined;
  const own = isObject(meta) ? meta : {};
  const { traceparent, tracestate } = own;
  if (typeof traceparent === 'string')
    return { traceparent, tracestate: typeof tracestate === 'string' ? tracestate : undefined };
  const sent = header('traceparent');
  return sent === undefined ? undefined : { traceparent: sent, tracestate: header('tracestate') };
}
