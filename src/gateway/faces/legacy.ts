import { randomUUID } from 'node:crypto';
import {
  isObject,
  type RawId,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  requestText,
} from '../rpc/message.ts';
import { findMember, membersOf } from '../rpc/raw.ts';
import { declaredExtensions } from '../upstreams/extensions.ts';
import type { ClientAnswer } from '../upstreams/outgoing.ts';
import type { Session } from './sessions.ts';

/** How long a person may take to answer a server's question, in milliseconds. */
const answerTimeout = 600_000;
const mostAsked = 100;

/** What a server may ask a client for, and the variants that make a difference to a server. */
const askable: Readonly<Record<string, readonly string[]>> = {
  elicitation: ['form', 'url'],
  roots: [],
  sampling: ['context', 'tools'],
};

/**
 * What a server may ask this client for, as JSON text. Only what the specification names is kept, and a few
 * extensions: connections are told apart by this text, and a client must not be able to make them multiply.
 */
export function capabilitiesIn(params: Readonly<Record<string, unknown>> | undefined): string {
  const all = isObject(params?.['capabilities']) ? params['capabilities'] : {};
  const kept = Object.entries(askable).flatMap(([name, variants]) => {
    const value = all[name];
    return isObject(value)
      ? [
          [
            name,
            Object.fromEntries(
              variants.flatMap((variant) => (isObject(value[variant]) ? [[variant, {}]] : [])),
            ),
          ],
        ]
      : [];
  });
  const extensions = declaredExtensions(all['extensions']);
  const declares = Object.keys(extensions).length > 0;
  return JSON.stringify({ ...Object.fromEntries(kept), ...(declares && { extensions }) });
}

const longestName = 64;

/** What a client calls itself (`clientInfo`), as much of it as can be printed; undefined when it says nothing. */
export function clientNameIn(info: unknown): string | undefined {
  const name = isObject(info) ? info['name'] : undefined;
  if (typeof name !== 'string') return undefined;
  // Of a long one no more is looked at than could stay.
  const printable = name.slice(0, 4 * longestName).replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '');
  return [...printable.trim()].slice(0, longestName).join('') || undefined;
}

/** Where a question for the client is said, and which process waits for its answer. */
export interface Asking {
  readonly node: string;
  send(text: string): void;
}

/** Sends a server's request to the client on the call's own stream and waits for the answer. */
export function askClient(
  session: Session,
  stream: Asking,
  request: RpcRequest,
  signal: AbortSignal,
): Promise<ClientAnswer> {
  const refused = (message: string): Promise<ClientAnswer> =>
    Promise.resolve({ rawError: `{"code":-32603,"message":${JSON.stringify(message)}}` });
  if (session.asked.size >= mostAsked) return refused('Too many unanswered requests');
  // The client may post its answer to any process, which finds the one that waits by this name.
  const rawId = JSON.stringify(`${stream.node}.${randomUUID()}`);
  return new Promise((resolve) => {
    const finish = (answer: ClientAnswer) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', gone);
      session.asked.delete(rawId);
      resolve(answer);
    };
    const gone = () => finish({ rawError: '{"code":-32603,"message":"The client is gone"}' });
    const timer = setTimeout(
      () => finish({ rawError: '{"code":-32603,"message":"The client gave no answer in time"}' }),
      answerTimeout,
    );
    signal.addEventListener('abort', gone, { once: true });
    session.asked.set(rawId, finish);
    stream.send(requestText(rawId, request.method, request.rawParams));
  });
}

/** What a client's answer to a server's request says. */
export function clientAnswerIn(response: RpcResponse): ClientAnswer {
  const { rawResult, rawError = '{"code":-32603,"message":"Internal error"}' } = response;
  return rawResult === undefined ? { rawError } : { rawResult };
}

/** Gives an answer to whoever in this process waits for it. */
export function deliverAnswer(session: Session, rawId: RawId, answer: ClientAnswer): void {
  session.asked.get(rawId)?.(answer);
}

/** The request that a notification of the client cancels; undefined for any other notification. */
export function cancelledRequest(message: RpcNotification): RawId | undefined {
  if (message.method !== 'notifications/cancelled' || message.rawParams === undefined) return undefined;
  const id = findMember(membersOf(message.rawParams), 'requestId');
  return id && message.rawParams.slice(id.start, id.end);
}

/** Cancels a call of the session in this process; false when there is none of that id. */
export function cancelCall(session: Session, rawId: RawId): boolean {
  const call = session.calls.get(rawId);
  call?.abort(new Error('the client cancelled the request'));
  return call !== undefined;
}
