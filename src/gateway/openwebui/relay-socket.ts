import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { takeSocket } from '../../platform/http/upgrade.ts';
import { answered, ClientLeft } from './attempt.ts';
import { openWebUiTrouble } from './refusals.ts';
import { type Ended, type Exchange, sendAnswer } from './relay-http.ts';
import { responseHeaders } from './response-headers.ts';

const keepAliveMs = 60_000;
/** When one end has said its last word, the other has so long to say its own. */
const farewellMs = 10_000;

/** How a handshake ended; `end` cuts an open socket, `closed` resolves when it is over. */
export type Opened =
  | { readonly isOpen: false; readonly ended: Ended }
  | { readonly isOpen: true; readonly end: () => void; readonly closed: Promise<void> };

/**
 * Passes a WebSocket handshake on, and once Open WebUI has agreed everything that is said in either direction. A no of
 * Open WebUI is an ordinary answer. Rejects with a `Refusal` as long as nothing was said to the client.
 */
export async function relaySocket(exchange: Exchange): Promise<Opened> {
  const { req, res, upstream, headers } = exchange;
  const out = upstream.request({ method: 'GET', path: req.url ?? '/', headers, use: 'socket' });
  const leave = () => out.destroy(new ClientLeft());
  req.socket.once('close', leave);
  out.end();
  const found = await answered(out, upstream);
  req.socket.off('close', leave);
  if (found.kind === 'answer') {
    const { bytesOut, how } = await sendAnswer(found.answer, req, res);
    return { isOpen: false, ended: { status: found.answer.statusCode ?? 0, bytesIn: 0, bytesOut, how } };
  }
  const { answer, socket: behind, head } = found;
  // Whatever is not exactly what was asked for would let bytes through that nobody has looked at.
  const agreed = answer.statusCode === 101 && /^websocket$/i.test(answer.headers.upgrade ?? '');
  const taken = agreed ? takeSocket(req, res) : undefined;
  if (!taken) {
    behind.destroy();
    throw openWebUiTrouble('broken');
  }
  taken.socket.write(handshake(responseHeaders(answer), res));
  if (head.length > 0) taken.socket.write(head);
  if (taken.head.length > 0) behind.write(taken.head);
  return { isOpen: true, ...join(taken.socket, behind, upstream.times.socketIdleMs) };
}

function handshake(raw: readonly string[], res: ServerResponse): string {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  for (let at = 0; at + 1 < raw.length; at += 2) lines.push(`${raw[at]}: ${raw[at + 1]}`);
  lines.push(`X-Request-Id: ${String(res.getHeader('x-request-id'))}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function join(front: Duplex, behind: Duplex, idleMs: number): { end: () => void; closed: Promise<void> } {
  const both = [front, behind];
  const end = () => {
    for (const one of both) one.destroy();
  };
  let timer: NodeJS.Timeout | undefined;
  for (const one of both) {
    if (one instanceof Socket) one.setNoDelay(true).setKeepAlive(true, keepAliveMs).setTimeout(idleMs, end);
    one.on('error', end);
    one.once('end', () => (timer ??= setTimeout(end, farewellMs).unref()));
  }
  const closed = Promise.all(
    both.map((one) => new Promise<void>((resolve) => one.once('close', () => resolve(end())))),
  ).then(() => clearTimeout(timer));
  front.pipe(behind);
  behind.pipe(front);
  return { end, closed };
}
