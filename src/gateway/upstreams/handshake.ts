import { type Connector, UpstreamError, type UpstreamFailure } from '../connectors/contract.ts';
import { isObject, notificationText, type RpcResponse, requestText } from '../rpc/message.ts';
import {
  type Era,
  latestLegacy,
  latestModern,
  legacyVersions,
  meta,
  modernVersions,
  rpcCode,
} from '../rpc/protocol.ts';

/** What a server said of itself when the connection was made. */
export interface Hello {
  readonly era: Era;
  readonly protocolVersion: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: unknown;
  readonly instructions: string | undefined;
}

/** The answer speaks of the other era rather than of a fault. */
export class OtherEraError extends Error {
  constructor(era: Era, cause: unknown) {
    super(`The server does not speak the ${era} era.`, { cause });
    this.name = 'OtherEraError';
  }
}

export const gateInfo = { name: 'toolgate', title: 'Toolgate', version: '0.1.0' } as const;

/** `_meta` of a modern request that the gate makes on its own behalf. */
export function ownMeta(capabilities: string): string {
  return `{"${meta.protocolVersion}":"${latestModern}","${meta.clientInfo}":${JSON.stringify(gateInfo)},"${meta.clientCapabilities}":${capabilities}}`;
}

/** Headers that mirror a modern request (basic/transports/streamable-http.mdx). */
export function modernHeaders(method: string, name?: string): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-protocol-version': latestModern, 'mcp-method': method };
  if (name !== undefined) headers['mcp-name'] = headerValue(name);
  return headers;
}

/** Header text as the specification encodes it: anything that HTTP could change travels as base64. */
export function headerValue(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !value.startsWith('=?base64?');
  return plain ? value : `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;
}

/** `initialize`, then `notifications/initialized` (2025-11-25 basic/lifecycle.mdx). */
export async function legacyHandshake(
  connector: Connector,
  capabilities: string,
  signal: AbortSignal,
): Promise<Hello> {
  const params = `{"protocolVersion":"${latestLegacy}","capabilities":${capabilities},"clientInfo":${JSON.stringify(gateInfo)}}`;
  const response = await connector.request({
    rawId: '0',
    text: requestText('0', 'initialize', params),
    signal,
    onMessage: () => undefined,
  });
  if (response.error) throw legacyRefusal(response);
  const result = response.result ?? {};
  const version = String(result['protocolVersion']);
  if (!legacyVersions.some((known) => known === version)) {
    throw new UpstreamError(
      'protocol',
      `The server speaks MCP revision ${/^[\w.-]{1,20}$/.test(version) ? version : 'of another kind'}, which the gate does not know.`,
    );
  }
  const capabilitiesOfServer = isObject(result['capabilities']) ? result['capabilities'] : {};
  connector.established({ protocolVersion: version, listen: mayNotify(capabilitiesOfServer) });
  await connector.send(notificationText('notifications/initialized', undefined), signal);
  return hello('legacy', version, result, result['serverInfo']);
}

/** `server/discover` (2026-07-28 server/discover.mdx). */
export async function modernHandshake(
  connector: Connector,
  capabilities: string,
  signal: AbortSignal,
): Promise<Hello> {
  const text = requestText('"discover"', 'server/discover', `{"_meta":${ownMeta(capabilities)}}`);
  const response = await connector
    .request({
      rawId: '"discover"',
      text,
      headers: modernHeaders('server/discover'),
      signal,
      onMessage: () => undefined,
    })
    .catch((error: unknown) => {
      throw saysNothingOfEras(error) ? error : new OtherEraError('modern', error);
    });
  const versions = response.result?.['supportedVersions'];
  const known = Array.isArray(versions)
    ? modernVersions.find((version) => versions.includes(version))
    : undefined;
  if (known === undefined) throw new OtherEraError('modern', response.error);
  const result = response.result ?? {};
  const info = isObject(result['_meta']) ? result['_meta'][meta.serverInfo] : undefined;
  return hello('modern', known, result, info);
}

function hello(
  era: Era,
  protocolVersion: string,
  result: Readonly<Record<string, unknown>>,
  serverInfo: unknown,
): Hello {
  const { capabilities, instructions } = result;
  return {
    era,
    protocolVersion,
    capabilities: isObject(capabilities) ? capabilities : {},
    serverInfo,
    instructions: typeof instructions === 'string' ? instructions : undefined,
  };
}

/** Only what the modern revision defines counts as a sign of the modern era. */
function legacyRefusal(response: RpcResponse): Error {
  const code = response.error?.code ?? 0;
  const modern: readonly number[] = [
    rpcCode.unsupportedVersion,
    rpcCode.headerMismatch,
    rpcCode.missingCapability,
    rpcCode.methodNotFound,
  ];
  if (modern.includes(code)) return new OtherEraError('legacy', response.error);
  return new UpstreamError('protocol', `The server refused to initialize (error ${code}).`);
}

const silent: readonly UpstreamFailure[] = [
  ...(['unauthorized', 'unreachable', 'cancelled', 'timeout', 'busy', 'paused', 'not_allowed'] as const),
];

/** A refused credential, a fault or silence is no evidence about eras. */
function saysNothingOfEras(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return true;
  if (silent.includes(error.kind)) return true;
  return error.status !== undefined && error.status >= 500;
}

function mayNotify(capabilities: Readonly<Record<string, unknown>>): boolean {
  const changing = (kind: string) => {
    const value = capabilities[kind];
    return isObject(value) && (value['listChanged'] === true || value['subscribe'] === true);
  };
  return changing('tools') || changing('prompts') || changing('resources') || 'logging' in capabilities;
}
