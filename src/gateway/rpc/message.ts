import { findMember, type Member, membersOf } from './raw.ts';

/** A JSON-RPC id as text, so that 1, 1.0 and "1" go back exactly as they came. */
export type RawId = string;

export interface RpcRequest {
  readonly kind: 'request';
  readonly rawId: RawId;
  readonly method: string;
  /** Parsed params; absent when the message has none. */
  readonly params: Readonly<Record<string, unknown>> | undefined;
  /** The same as JSON text. */
  readonly rawParams: string | undefined;
}

export interface RpcNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>> | undefined;
  readonly rawParams: string | undefined;
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export interface RpcResponse {
  readonly kind: 'response';
  /** Null when the sender could not tell which request it answers. */
  readonly rawId: RawId | null;
  /** Exactly one of `result` and `error` is there. */
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly rawResult: string | undefined;
  readonly error: RpcError | undefined;
  readonly rawError: string | undefined;
}

export type RpcMessage = RpcRequest | RpcNotification | RpcResponse;

export type Parsed =
  | { readonly ok: true; readonly message: RpcMessage }
  | { readonly ok: false; readonly code: 'parse' | 'shape' | 'batch'; readonly rawId: RawId | null };

/** Parses one JSON-RPC 2.0 message (https://www.jsonrpc.org/specification). Never throws. */
export function parseMessage(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, code: 'parse', rawId: null };
  }
  if (Array.isArray(value)) return { ok: false, code: 'batch', rawId: null };
  if (!isObject(value)) return { ok: false, code: 'shape', rawId: null };
  const members = membersOf(text);
  const id = idOf(text, members, value['id']);
  if (value['jsonrpc'] !== '2.0' || id === undefined) return { ok: false, code: 'shape', rawId: id ?? null };
  const message = 'method' in value ? asked(text, members, value, id) : answered(text, members, value, id);
  return message ? { ok: true, message } : { ok: false, code: 'shape', rawId: id };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** null: no id or a null one. undefined: an id of a kind that JSON-RPC does not know. */
function idOf(text: string, members: readonly Member[], id: unknown): RawId | null | undefined {
  if (id === undefined || id === null) return null;
  if (typeof id !== 'string' && typeof id !== 'number') return undefined;
  return slice(text, findMember(members, 'id')) ?? null;
}

function asked(
  text: string,
  members: readonly Member[],
  value: Record<string, unknown>,
  rawId: RawId | null,
): RpcRequest | RpcNotification | undefined {
  const { method, params } = value;
  if (typeof method !== 'string' || (params !== undefined && !isObject(params))) return undefined;
  const rawParams = slice(text, findMember(members, 'params'));
  if (rawId !== null) return { kind: 'request', rawId, method, params, rawParams };
  // A request whose id is null is no notification: nobody could be answered.
  return 'id' in value ? undefined : { kind: 'notification', method, params, rawParams };
}

function answered(
  text: string,
  members: readonly Member[],
  value: Record<string, unknown>,
  rawId: RawId | null,
): RpcResponse | undefined {
  const { result, error } = value;
  if ((result === undefined) === (error === undefined)) return undefined;
  const empty = {
    kind: 'response',
    rawId,
    result: undefined,
    rawResult: undefined,
    error: undefined,
    rawError: undefined,
  } as const;
  if (error === undefined) {
    return isObject(result)
      ? { ...empty, result, rawResult: slice(text, findMember(members, 'result')) }
      : undefined;
  }
  const ok = isObject(error) && Number.isInteger(error['code']) && typeof error['message'] === 'string';
  if (!ok) return undefined;
  const known: RpcError = {
    code: Number(error['code']),
    message: String(error['message']),
    data: error['data'],
  };
  return { ...empty, error: known, rawError: slice(text, findMember(members, 'error')) };
}

function slice(text: string, member: Member | undefined): string | undefined {
  return member && text.slice(member.start, member.end);
}

/** JSON text of a request. `rawParams` is JSON text of an object. */
export function requestText(rawId: RawId, method: string, rawParams: string | undefined): string {
  const params = rawParams === undefined ? '' : `,"params":${rawParams}`;
  return `{"jsonrpc":"2.0","id":${rawId},"method":${JSON.stringify(method)}${params}}`;
}

export function notificationText(method: string, rawParams: string | undefined): string {
  const params = rawParams === undefined ? '' : `,"params":${rawParams}`;
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${params}}`;
}

export function resultText(rawId: RawId, rawResult: string): string {
  return `{"jsonrpc":"2.0","id":${rawId},"result":${rawResult}}`;
}

/** The same around a result in parts. */
export function resultParts(rawId: RawId, parts: readonly Buffer[]): readonly Buffer[] {
  return [Buffer.from(`{"jsonrpc":"2.0","id":${rawId},"result":`), ...parts, Buffer.from('}')];
}

export function errorText(rawId: RawId | null, rawError: string): string {
  return `{"jsonrpc":"2.0","id":${rawId ?? 'null'},"error":${rawError}}`;
}

/** Any response under another id, its result or error byte for byte. */
export function responseText(rawId: RawId, response: RpcResponse): string {
  return response.rawResult === undefined
    ? errorText(rawId, response.rawError ?? '{"code":-32603,"message":"Internal error"}')
    : resultText(rawId, response.rawResult);
}
