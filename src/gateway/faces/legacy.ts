import { randomUUID } from 'node:crypto';
import type { Call } from '../call.ts';
import {
  isObject,
  type RpcNotification,
  type RpcRequest,
  type RpcResponse,
  requestText,
} from '../rpc/message.ts';
import { findMember, membersOf } from '../rpc/raw.ts';
import type { ClientAnswer } from '../upstreams/outgoing.ts';
import type { CallStream } from './call-stream.ts';
import type { Session, Sessions } from './sessions.ts';

/** How long a person may take to answer a server's question, in milliseconds. */
const answerTimeout = 600_000;
const mostAsked = 100;
/** Resources that one session may follow. */
const mostUris = 1_000;

/** What a server may ask a client for, and the variants that make a difference to a server. */
const askable: Readonly<Record<string, readonly string[]>> = {
  elicitation: ['form', 'url'],
  roots: [],
  sampling: ['context', 'tools'],
};

/**
 * What a server may ask this client for, as JSON text. Only what the specification names is kept: connections are
 * told apart by this text, and a client must not be able to make them multiply.
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
  return JSON.stringify(Object.fromEntries(kept));
}

/** Sends a server's request to the client on the call's own stream and waits for the answer. */
export function askClient(
  session: Session,
  stream: CallStream,
  request: RpcRequest,
  signal: AbortSignal,
): Promise<ClientAnswer> {
  const refused = (message: string): Promise<ClientAnswer> =>
    Promise.resolve({ rawError: `{"code":-32603,"message":${JSON.stringify(message)}}` });
  if (session.asked.size >= mostAsked) return refused('Too many unanswered requests');
  const rawId = JSON.stringify(randomUUID());
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

/** A client's answer to a server's request, posted on its own. */
export function deliverAnswer(session: Session, response: RpcResponse): void {
  const waiting = response.rawId === null ? undefined : session.asked.get(response.rawId);
  const { rawResult, rawError = '{"code":-32603,"message":"Internal error"}' } = response;
  waiting?.(rawResult === undefined ? { rawError } : { rawResult });
}

/** Notifications that mean something to the gate; the others are taken and need nothing done. */
export function takeNotification(session: Session, message: RpcNotification): void {
  if (message.method !== 'notifications/cancelled' || message.rawParams === undefined) return;
  const id = findMember(membersOf(message.rawParams), 'requestId');
  const rawId = id && message.rawParams.slice(id.start, id.end);
  if (rawId !== undefined) session.calls.get(rawId)?.abort(new Error('the client cancelled the request'));
}

/** After a subscription went through, its news belong to this session. */
export function rememberSubscription(session: Session, call: Call): void {
  const message = call.message;
  if (
    message?.kind !== 'request' ||
    call.response === undefined ||
    ('error' in call.response && call.response.error)
  )
    return;
  const uri = message.params?.['uri'];
  if (typeof uri !== 'string') return;
  if (message.method === 'resources/subscribe' && session.uris.size < mostUris) session.uris.add(uri);
  if (message.method === 'resources/unsubscribe') session.uris.delete(uri);
}

/** The session that a request names, or a sentence that tells the client to begin again. */
export function sessionOf(
  sessions: Sessions,
  id: string | undefined,
  principal: string,
): Session | null | 'gone' {
  if (id === undefined) return null;
  return sessions.find(id, principal) ?? 'gone';
}
