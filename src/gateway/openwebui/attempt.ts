import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Refusal } from '../refusal.ts';
import { openWebUiTrouble } from './refusals.ts';
import type { Upstream } from './upstream.ts';

/** How Open WebUI answered: with an answer, or with a socket. */
export type Answered =
  | { readonly kind: 'answer'; readonly answer: IncomingMessage }
  | {
      readonly kind: 'socket';
      readonly answer: IncomingMessage;
      readonly socket: Duplex;
      readonly head: Buffer;
    };

/** A request was closed before it was sent, on a connection that had been idle too long: nobody has seen it. */
export class Unsent extends Error {}

/** Whoever asked is gone. That says nothing about Open WebUI. */
export class ClientLeft extends Error {}

/** Nor does this: all connections to it are in use, or it is the client that is slow. */
const innocent: ReadonlySet<string> = new Set(['open_webui_busy', 'upload_stalled']);

const away = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'],
  ...['ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
]);

/** Ends a request whose answer is awaited. One without a connection yet says so itself: Node does once it has found one. */
export function abandon(out: ClientRequest, why: Error): void {
  if (out.destroyed) return;
  out.destroy(why);
  if (!out.socket) out.emit('error', why);
}

/**
 * Waits for the head of the answer. Rejects with a `Refusal`, or with `Unsent`. What happens to the request after the head
 * has come is told by the answer.
 */
export function answered(out: ClientRequest, upstream: Upstream): Promise<Answered> {
  const { connectMs, silentMs } = upstream.times;
  const giveUp = (trouble: 'slow' | 'busy') => abandon(out, openWebUiTrouble(trouble));
  const connecting = setTimeout(() => giveUp(out.socket ? 'slow' : 'busy'), connectMs);
  const connected = () => {
    clearTimeout(connecting);
    out.setTimeout(silentMs, () => giveUp('slow'));
  };
  out.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', connected);
    else connected();
  });
  return new Promise<Answered>((resolve, reject) => {
    let hasHead = false;
    const come = (found: Answered) => {
      hasHead = true;
      resolve(found);
    };
    out.once('response', (answer) => come({ kind: 'answer', answer }));
    out.once('upgrade', (answer, socket, head) => come({ kind: 'socket', answer, socket, head }));
    out.on('error', (error) => {
      clearTimeout(connecting);
      reject(failure(error, out));
    });
    out.once('close', () => {
      clearTimeout(connecting);
      if (!hasHead) reject(openWebUiTrouble('broken'));
    });
  }).then(
    (found) => {
      upstream.reached();
      return found;
    },
    (error: unknown) => {
      if (error instanceof Refusal && !innocent.has(error.code)) upstream.missed(error);
      throw error;
    },
  );
}

function failure(error: Error, out: ClientRequest): Error {
  if (error instanceof ClientLeft || error instanceof Refusal) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (away.has(code)) return openWebUiTrouble('away', error);
  const isStale = out.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
  return isStale
    ? new Unsent('the connection was closed', { cause: error })
    : openWebUiTrouble('broken', error);
}
