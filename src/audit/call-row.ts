import { clean } from './clean.ts';
import type { CallRecord } from './contract.ts';

/**
 * A call as `insertCalls` sends it; the names are the columns of `api_analytics`, but for `at`, its time in milliseconds
 * since the epoch.
 */
export type CallRow = Readonly<Record<string, string | number | null>>;

// Long text has no business in a record, and an index entry over 2,704 bytes would be refused (4 bytes a character).
const longestText = 500;
const longestArguments = 8_000;

/** Whatever of a record may be as a client wrote it. */
const texts = [
  ...([
    'requestId',
    'principal',
    'authSource',
    'tenant',
    'face',
    'httpMethod',
    'endpoint',
    'rpcMethod',
  ] as const),
  ...(['server', 'tool', 'reason', 'userAgent', 'clientIp', 'credentialId'] as const),
];

/** Bounds the memory that a record holds on to; the usual, small one passes through untouched. */
export function trimmed(call: CallRecord): CallRecord {
  const { arguments: args } = call;
  const long = texts.filter((name) => (call[name]?.length ?? 0) > longestText);
  if (long.length === 0 && (args?.length ?? 0) <= longestArguments) return call;
  const short = Object.fromEntries(long.map((name) => [name, cut(call[name])]));
  return { ...call, ...short, arguments: args && shortArguments(args) };
}

/** Never throws, whatever is in the record: records come from disk, too. */
export function toRow(call: CallRecord): CallRow {
  return {
    id: call.id,
    at: Number.isFinite(call.at) ? call.at : null,
    request_id: text(call.requestId),
    user_email: text(call.principal),
    auth_source: text(call.authSource),
    tenant_id: text(call.tenant),
    face: text(call.face),
    method: text(call.httpMethod),
    endpoint: text(call.endpoint),
    rpc_method: text(call.rpcMethod),
    server_id: text(call.server),
    tool: text(call.tool),
    outcome: text(call.outcome),
    reason: text(call.reason),
    status_code: whole(call.status),
    response_time_ms: finite(call.milliseconds),
    bytes_in: whole(call.bytesIn),
    bytes_out: whole(call.bytesOut),
    user_agent: text(call.userAgent),
    client_ip: text(call.clientIp),
    credential_id: text(call.credentialId),
    arguments: typeof call.arguments === 'string' ? storableJson(call.arguments) : null,
  };
}

function text(value: string | null): string | null {
  if (typeof value !== 'string') return null;
  return value.length > longestText ? value.slice(0, longestText) : value;
}

// A copy, because a slice of a string keeps the whole of it in memory.
function cut(value: string | null): string | null {
  return value && Buffer.from(value.slice(0, longestText)).toString();
}

function shortArguments(args: string): string {
  return args.length <= longestArguments ? args : JSON.stringify(`${args.slice(0, longestArguments)}…`);
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

function whole(value: number): number {
  return Math.trunc(finite(value));
}

/**
 * JSON that jsonb takes. It refuses the escapes \u0000 and lone \ud800 to \udfff, which JSON allows; only then is the
 * text made anew, because that loses the digits of large numbers. What is no JSON is kept as one string.
 */
function storableJson(json: string): string {
  try {
    const parsed: unknown = JSON.parse(json);
    if (!/\\u(?:0000|d[89a-f])/i.test(json)) return clean(json);
    return JSON.stringify(parsed, (_key, value: unknown) =>
      typeof value === 'string' ? clean(value) : cleanKeys(value),
    );
  } catch {
    return JSON.stringify(clean(json));
  }
}

function cleanKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [clean(key), inner]));
}
