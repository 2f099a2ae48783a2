import { UpstreamError } from '../connectors/contract.ts';
import type { RpcResponse } from '../rpc/message.ts';
import { elementsOf, findMember, membersOf } from '../rpc/raw.ts';
import { ownParams } from '../upstreams/own-subscription.ts';
import type { Connection } from '../upstreams/pool.ts';
import { type ListKind, listKinds, lists } from './kinds.ts';

/** One tool, prompt, resource or template, byte for byte as its server wrote it. */
export interface ListItem {
  /** Name, URI or URI template. */
  readonly key: string;
  readonly raw: string;
}

export interface FetchedList {
  readonly items: readonly ListItem[];
  /** How long the server says it stays true, in milliseconds; undefined when it does not say. */
  readonly ttlMs: number | undefined;
}

// A server that never stops naming a next page must not hold the gate for ever.
const mostPages = 200;
const mostItems = 20_000;

/** Each of the lists, in the order of `listKinds`, and what went wrong with the first that cannot be had. */
export async function fetchLists(
  connection: Connection,
  timeoutMs: number,
): Promise<{ readonly fetched: readonly (FetchedList | undefined)[]; readonly problem: unknown }> {
  const settled = await Promise.allSettled(
    listKinds.map((kind) => fetchList(connection, kind, new AbortController(), timeoutMs)),
  );
  return {
    fetched: settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined)),
    problem: settled.find((one) => one.status === 'rejected')?.reason,
  };
}

/**
 * The whole list, page after page, within `timeoutMs` in all. A capability that the server does not have is an
 * empty list.
 */
export async function fetchList(
  connection: Connection,
  kind: ListKind,
  controller: AbortController,
  timeoutMs: number,
): Promise<FetchedList> {
  const spec = lists[kind];
  const { upstream, hello } = connection;
  if (!(spec.capability in hello.capabilities)) return { items: [], ttlMs: undefined };
  const { clock, era, name } = upstream.options;
  const until = clock() + timeoutMs;
  const found = new Map<string, ListItem>();
  let cursor: string | undefined;
  let ttlMs: number | undefined;
  for (let page = 0; page < mostPages && found.size < mostItems; page++) {
    const members = cursor === undefined ? {} : { cursor: JSON.stringify(cursor) };
    const rawParams = ownParams(era, '{}', members);
    const left = Math.max(1, until - clock());
    const own = { controller, timeoutMs: left, isOwn: true } as const;
    const response = await upstream.request({ method: spec.method, rawParams, ...own });
    for (const item of itemsOf(response, kind, name)) if (!found.has(item.key)) found.set(item.key, item);
    ttlMs = numberOf(response.result?.['ttlMs']);
    const next = response.result?.['nextCursor'];
    if (typeof next !== 'string' || next === cursor) break;
    cursor = next;
  }
  return { items: [...found.values()], ttlMs };
}

function itemsOf(response: RpcResponse, kind: ListKind, name: string): ListItem[] {
  const { member, key, method } = lists[kind];
  const { result, rawResult } = response;
  // Some servers announce a capability and then lack half of its methods (templates, mostly).
  if (response.error?.code === -32601) return [];
  const parsed = result?.[member];
  const span = rawResult === undefined ? undefined : findMember(membersOf(rawResult), member);
  if (rawResult === undefined || !Array.isArray(parsed) || !span) {
    const message = `The server "${name}" answered ${method} without a list.`;
    throw new UpstreamError('protocol', message, { cause: response });
  }
  return elementsOf(rawResult, span.start).flatMap(({ start, end }, index) => {
    const item: unknown = parsed[index];
    const id = typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[key] : undefined;
    return typeof id === 'string' ? [{ key: id, raw: rawResult.slice(start, end) }] : [];
  });
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined;
}
