import { isObject, type RpcResponse } from './rpc/message.ts';
import { type Era, latestModern, meta, rpcCode } from './rpc/protocol.ts';
import { editObject, findMember, membersOf } from './rpc/raw.ts';
import { gateInfo } from './upstreams/handshake.ts';

/** What has to change when a caller of one era meets a server of the other. All of it is text in, text out. */

const ownKeys = /^io\.modelcontextprotocol\//;

/** Params for the server. `client`: what a legacy caller declared, as JSON text, and the log level that it set. */
export function paramsForServer(
  rawParams: string | undefined,
  north: Era,
  south: Era,
  client: { readonly capabilities: string; readonly logLevel?: string | undefined },
): string | undefined {
  if (north === south) return rawParams;
  return south === 'legacy' ? withoutEnvelope(rawParams) : withEnvelope(rawParams, client);
}

/** A legacy server is not shown what belongs to the hop between client and gate. */
function withoutEnvelope(rawParams: string | undefined): string | undefined {
  if (rawParams === undefined) return undefined;
  const members = membersOf(rawParams);
  const span = findMember(members, '_meta');
  const rawMeta = span ? rawParams.slice(span.start, span.end) : '{}';
  const kept = rawMeta.startsWith('{')
    ? membersOf(rawMeta).filter((member) => !ownKeys.test(member.key))
    : [];
  const keptMeta = kept.map((member) => rawMeta.slice(member.keyStart, member.end)).join(',');
  const changes: Record<string, string | null> = {
    inputResponses: null,
    requestState: null,
    _meta: keptMeta === '' ? null : `{${keptMeta}}`,
  };
  const changed = editObject(rawParams, changes);
  return changed === '{}' ? undefined : changed;
}

function withEnvelope(
  rawParams: string | undefined,
  { capabilities, logLevel }: { readonly capabilities: string; readonly logLevel?: string | undefined },
): string {
  const params = rawParams ?? '{}';
  const span = findMember(membersOf(params), '_meta');
  const rawMeta = span ? params.slice(span.start, span.end) : '{}';
  const envelope = editObject(rawMeta.startsWith('{') ? rawMeta : '{}', {
    [meta.protocolVersion]: JSON.stringify(latestModern),
    [meta.clientInfo]: JSON.stringify(gateInfo),
    [meta.clientCapabilities]: capabilities,
    ...(logLevel !== undefined && { [meta.logLevel]: JSON.stringify(logLevel) }),
  });
  return editObject(params, { _meta: envelope });
}

/** The result as the caller's era wants it; undefined when the server asks for something that era cannot give. */
export function resultForCaller(
  rawResult: string,
  method: string,
  north: Era,
  south: Era,
): string | undefined {
  if (north === 'legacy') return south === 'legacy' ? rawResult : legacyResult(rawResult);
  const changes: Record<string, string> = {};
  // A modern result without a type is a server's slip; strict clients throw on it.
  if (!says(rawResult, 'resultType')) changes['resultType'] = '"complete"';
  if (method === 'resources/read' && !says(rawResult, 'ttlMs')) {
    changes['ttlMs'] = '0';
    changes['cacheScope'] = '"private"';
  }
  return Object.keys(changes).length === 0 ? rawResult : editObject(rawResult, changes);
}

/** Does the result itself have the member? The word alone may stand anywhere in what a server passes on. */
function says(rawResult: string, key: string): boolean {
  return rawResult.includes(`"${key}"`) && findMember(membersOf(rawResult), key) !== undefined;
}

function legacyResult(rawResult: string): string | undefined {
  const span = findMember(membersOf(rawResult), 'resultType');
  if (span && rawResult.slice(span.start, span.end) !== '"complete"') return undefined;
  const changes = { resultType: null, ttlMs: null, cacheScope: null };
  const about = rawResult.includes(meta.serverInfo) ? withoutServerInfo(rawResult) : {};
  return editObject(rawResult, { ...changes, ...about });
}

/** The change that takes the name of the server out of `_meta`: a legacy client has it from `initialize`. */
function withoutServerInfo(rawResult: string): Record<string, string | null> {
  const span = findMember(membersOf(rawResult), '_meta');
  const rawMeta = span ? rawResult.slice(span.start, span.end) : '';
  if (!rawMeta.startsWith('{')) return {};
  const kept = editObject(rawMeta, { [meta.serverInfo]: null });
  return { _meta: kept === '{}' ? null : kept };
}

/** The error as the caller's era spells it: a missing resource has another code in each. */
export function errorForCaller(response: RpcResponse, method: string, north: Era, south: Era): string {
  const rawError = response.rawError ?? `{"code":${rpcCode.internal},"message":"Internal error"}`;
  if (north === south) return rawError;
  const code = response.error?.code;
  if (north === 'modern' && code === rpcCode.resourceNotFound)
    return editObject(rawError, { code: String(rpcCode.invalidParams) });
  const data = response.error?.data;
  const missing =
    method === 'resources/read' && code === rpcCode.invalidParams && isObject(data) && 'uri' in data;
  return north === 'legacy' && missing
    ? editObject(rawError, { code: String(rpcCode.resourceNotFound) })
    : rawError;
}
