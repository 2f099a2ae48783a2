import { decodedHeader } from '../bridge/param-headers.ts';
import { isObject, type RpcMessage, type RpcRequest } from '../rpc/message.ts';
import { WireError } from '../rpc/wire-error.ts';
import { capabilitiesIn, clientNameIn } from './legacy.ts';
import {
  type Era,
  isModernVersion,
  legacyVersions,
  meta,
  modernVersions,
  nameParam,
  rpcCode,
} from '../rpc/protocol.ts';

type Header = (name: string) => string | undefined;

/**
 * Which era a message speaks, by its body first: a proxy may lose a header, the envelope cannot be lost
 * (2026-07-28 basic/versioning.mdx, basic/transports/streamable-http.mdx). Throws what the specification says
 * about a message that contradicts itself. The order of the checks is the one that clients expect.
 */
export function classify(message: RpcMessage, header: Header): Era {
  const version = trimmed(header('mcp-protocol-version'));
  const headerIsModern = version !== undefined && isModernVersion(version);
  if (message.kind === 'response') return 'legacy';
  const envelope = isObject(message.params?.['_meta']) ? message.params['_meta'] : undefined;
  const claimed = envelope?.[meta.protocolVersion];
  const claims = claimed !== undefined || envelope?.[meta.clientCapabilities] !== undefined;
  if (!claims && !headerIsModern) return legacyVersion(version);
  if (message.kind === 'notification') return typeof claimed === 'string' ? eraOf(claimed) : 'modern';
  if (message.method === 'initialize' && !claims)
    throw mismatch('initialize belongs to the legacy era, which the MCP-Protocol-Version header denies');
  checkEnvelope(envelope);
  const named = String(claimed);
  if (version !== undefined && version !== named)
    throw mismatch(`the body names protocol version ${named}, the MCP-Protocol-Version header ${version}`);
  const method = trimmed(header('mcp-method'));
  if (method !== undefined && method !== message.method)
    throw mismatch(`the body names method ${message.method}, the Mcp-Method header ${method}`);
  if (!modernVersions.some((known) => known === named)) throw unsupported(named);
  checkHeaders(message, version, method, trimmed(header('mcp-name')));
  return 'modern';
}

/** What a modern client says of itself in this request, as JSON text; as short as `capabilitiesIn` makes it. */
export function declaredIn(message: RpcMessage | undefined): string {
  const params = message?.kind === 'request' ? message.params : undefined;
  const envelope = params?.['_meta'];
  const capabilities = isObject(envelope) ? envelope[meta.clientCapabilities] : undefined;
  // Most tools of a chat declare nothing; there is nothing to look through then.
  for (const _name in isObject(capabilities) ? capabilities : {}) return capabilitiesIn({ capabilities });
  return '{}';
}

/** What a modern client calls itself in this request. */
export function statedName(message: RpcMessage | undefined): string | undefined {
  const envelope = message?.kind === 'request' ? message.params?.['_meta'] : undefined;
  return isObject(envelope) ? clientNameIn(envelope[meta.clientInfo]) : undefined;
}

function eraOf(version: string): Era {
  return isModernVersion(version) ? 'modern' : 'legacy';
}

function legacyVersion(version: string | undefined): Era {
  // 2025-06-18 basic/transports.mdx: an invalid or unsupported version is a 400.
  if (version === undefined || legacyVersions.some((known) => known === version)) return 'legacy';
  throw unsupported(version);
}

/** basic/index.mdx: both keys are required, `clientInfo` only recommended. */
function checkEnvelope(envelope: Readonly<Record<string, unknown>> | undefined): void {
  const missing = [meta.protocolVersion, meta.clientCapabilities].filter(
    (key) => envelope?.[key] === undefined,
  );
  if (missing.length > 0)
    throw new WireError(400, rpcCode.invalidParams, `Invalid params: _meta lacks ${missing.join(' and ')}`);
  if (typeof envelope?.[meta.protocolVersion] !== 'string')
    throw new WireError(
      400,
      rpcCode.invalidParams,
      `Invalid params: ${meta.protocolVersion} must be a string`,
    );
  if (!isObject(envelope[meta.clientCapabilities]))
    throw new WireError(
      400,
      rpcCode.invalidParams,
      `Invalid params: ${meta.clientCapabilities} must be an object`,
    );
}

function checkHeaders(
  request: RpcRequest,
  version: string | undefined,
  method: string | undefined,
  name: string | undefined,
): void {
  if (version === undefined) throw mismatch('the MCP-Protocol-Version header is missing');
  if (method === undefined) throw mismatch('the Mcp-Method header is missing');
  const member = nameParam.get(request.method);
  const value = member === undefined ? undefined : request.params?.[member];
  if (typeof value !== 'string') return;
  if (name === undefined) throw mismatch(`the Mcp-Name header is missing for params.${member}`);
  if (decodedHeader(name) !== value)
    throw mismatch(`the Mcp-Name header does not say what params.${member} says`);
}

function trimmed(value: string | undefined): string | undefined {
  return value?.replace(/^[ \t]+|[ \t]+$/g, '');
}

function mismatch(what: string): WireError {
  return new WireError(400, rpcCode.headerMismatch, `Header mismatch: ${what}`);
}

/** Only modern versions are listed: the legacy ones are negotiated by `initialize`. */
function unsupported(requested: string): WireError {
  return new WireError(400, rpcCode.unsupportedVersion, 'Unsupported protocol version', {
    supported: modernVersions,
    requested,
  });
}
