import type { RpcNotification, RpcRequest } from '../rpc/message.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';

/** A request to a server, as the gate's steps make it. */
export interface Outgoing {
  readonly method: string;
  readonly rawParams: string | undefined;
  /** `Mcp-Name` of the modern era. */
  readonly name?: string | undefined;
  /** Further headers: `Mcp-Param-*`, trace context. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Aborted by the deadline; the caller aborts it to cancel. */
  readonly controller: AbortController;
  readonly timeoutMs: number;
  /** The gate's own business, such as lists: what the server says of itself meanwhile is about a caller's request. */
  readonly isOwn?: true;
  /** Notifications that belong to this request, progress tokens already the caller's own. */
  onNotification?(message: RpcNotification): void;
  /** A request of the server to the client; resolves with the text of the client's result or error. */
  readonly onServerRequest?: ((message: RpcRequest) => Promise<ClientAnswer>) | undefined;
  readonly onPrimed?: (() => void) | undefined;
  readonly onPaused?: (() => void) | undefined;
}

export type ClientAnswer = { readonly rawResult: string } | { readonly rawError: string };

/**
 * Request ids double as progress tokens, so that two callers with the same token do not meet. `token` is the
 * caller's own, as JSON text; undefined when it wants no progress.
 */
export function withOwnToken(
  rawParams: string | undefined,
  rawId: string,
): { params: string | undefined; token: string | undefined } {
  const asItWas = { params: rawParams, token: undefined };
  // A key may be spelled with escapes, and a token that stays the caller's could be another request's id.
  if (rawParams === undefined || !/progressToken|\\u/.test(rawParams)) return asItWas;
  const spans = findMember(membersOf(rawParams), '_meta');
  if (!spans) return asItWas;
  const rawMeta = rawParams.slice(spans.start, spans.end);
  const token = rawMeta.startsWith('{') ? findMember(membersOf(rawMeta), 'progressToken') : undefined;
  if (!token) return asItWas;
  const changed = editObject(rawMeta, { progressToken: rawId });
  return {
    params: editObject(rawParams, { _meta: changed }),
    token: rawMeta.slice(token.start, token.end),
  };
}

/** The notification under the caller's own token. */
export function underToken(message: RpcNotification, token: string | undefined): RpcNotification {
  if (message.method !== 'notifications/progress' || token === undefined) return message;
  return { ...message, rawParams: editObject(message.rawParams ?? '{}', { progressToken: token }) };
}

/** News of a server's lists and resources concern everybody who uses it, whatever call they come along with. */
export function isListNews(method: string): boolean {
  return method.endsWith('/list_changed') || method === 'notifications/resources/updated';
}
