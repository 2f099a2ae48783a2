/** Revisions, names and codes of MCP, as its specification spells them. */

export type Era = 'modern' | 'legacy';

/** https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning */
export const modernVersions = ['2026-07-28'] as const;
export const legacyVersions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
export const latestModern = modernVersions[0];
export const latestLegacy = legacyVersions[0];

/** Dates compare as text. Anything at or after the first modern revision speaks the stateless era. */
export function isModernVersion(version: string): boolean {
  return /^\d{4}-\d{2}-\d{2}/.test(version) && version >= latestModern;
}

/** Keys of a modern request's `_meta` (basic/index.mdx). */
export const meta = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
  logLevel: 'io.modelcontextprotocol/logLevel',
} as const;

/** JSON-RPC and MCP error codes. -32020 to -32099 belong to the specification. */
export const rpcCode = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
  /** Legacy only (2025-11-25): a page has to be opened before the request can succeed. */
  urlElicitationRequired: -32042,
  /** Legacy only: a modern server says invalidParams. */
  resourceNotFound: -32002,
} as const;

/**
 * Codes of our own for protocol-level refusals, outside the range that JSON-RPC reserves
 * (basic/index.mdx#error-codes).
 */
export const gateCode = {
  unavailable: 1503,
  refused: 1403,
  notFound: 1404,
  limited: 1429,
} as const;

/** What `Mcp-Name` mirrors for each method that has a name (basic/transports/streamable-http.mdx). */
export const nameParam = new Map<string, 'name' | 'uri' | 'taskId'>([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);
