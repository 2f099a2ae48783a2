import { createHash } from 'node:crypto';
import { isObject, type RpcRequest } from '../rpc/message.ts';
import { editObject, membersOf } from '../rpc/raw.ts';
import type { ClientAnswer } from '../upstreams/outgoing.ts';

/** What servers ask clients: elicitation, sampling and roots, in both spellings (2026-07-28 basic/patterns/mrtr.mdx). */

type Params = Readonly<Record<string, unknown>> | undefined;

/** Answers that the client gave already, by digest of the question; each is good once. */
export type GivenAnswers = Map<string, string[]>;

/**
 * What the client would have had to declare to be asked this, in words for a person; undefined when it did.
 * `capabilities` is JSON text.
 */
export function missingFor(method: string, params: Params, capabilities: string): string | undefined {
  const parsed: unknown = JSON.parse(capabilities);
  const declared = isObject(parsed) ? parsed : {};
  if (method === 'roots/list') return isObject(declared['roots']) ? undefined : 'roots';
  if (method === 'sampling/createMessage') return missingSampling(params, declared['sampling']);
  if (method === 'elicitation/create') return missingElicitation(params, declared['elicitation']);
  return method;
}

function missingSampling(params: Params, sampling: unknown): string | undefined {
  if (!isObject(sampling)) return 'sampling';
  const needsTools = params?.['tools'] !== undefined || params?.['toolChoice'] !== undefined;
  return needsTools && !isObject(sampling['tools']) ? 'sampling with tools' : undefined;
}

function missingElicitation(params: Params, elicitation: unknown): string | undefined {
  const isUrl = params?.['mode'] === 'url';
  const name = isUrl ? 'elicitation by URL' : 'elicitation by form';
  if (!isObject(elicitation)) return name;
  if (isUrl) return isObject(elicitation['url']) ? undefined : name;
  // An empty object means forms (2025-11-25 client/elicitation.mdx#capabilities).
  return isObject(elicitation['form']) || elicitation['url'] === undefined ? undefined : name;
}

/** The same question has the same digest, whenever it is asked: what differs by nature is left out. */
export function questionDigest(method: string, params: Params): string {
  const { _meta, elicitationId: _id, task: _task, ...rest } = params ?? {};
  return digestOf([method, rest]);
}

/** Short digest of a JSON value in which the order of keys does not count. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('base64url')
    .slice(0, 22);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // As pairs: a key such as `__proto__` would be lost in an object.
  return { members: entries.map(([key, member]) => [key, sorted(member)]) };
}

/** A legacy server's question as a value of `inputRequests`; JSON text. */
export function questionForModern({ method, rawParams }: RpcRequest): string {
  const params =
    rawParams === undefined ? '' : `,"params":${editObject(rawParams, { elicitationId: null, task: null })}`;
  return `{"method":${JSON.stringify(method)}${params}}`;
}

/** The client's own results in `inputResponses`, by key; JSON texts. Anything that is no object is no result. */
export function responsesIn(rawResponses: string | undefined): Map<string, string> {
  const found = new Map<string, string>();
  if (rawResponses === undefined || !rawResponses.startsWith('{')) return found;
  for (const { key, start, end } of membersOf(rawResponses)) {
    const raw = rawResponses.slice(start, end);
    if (raw.startsWith('{')) found.set(key, raw);
  }
  return found;
}

/** Takes the answer to a question out of those given. */
export function takeGiven(given: GivenAnswers | undefined, digest: string): ClientAnswer | undefined {
  const rawResult = given?.get(digest)?.shift();
  return rawResult === undefined ? undefined : { rawResult };
}
