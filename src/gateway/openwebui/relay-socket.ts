import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { takeSocket } from '../../platform/http/upgrade.ts';
import { abandon, answered, ClientLeft } from './attempt.ts';
import { openWebUiTrouble } from './refusals.ts';
import { type Ended, type Exchange, sendAnswer } from './relay-http.ts';
import { responseHeaders } from './response-headers.ts';
import { ClientFrames, type Listener } from './sockets/client-frames.ts';
import type { Goodbye } from './sockets/frames.ts';
import { ServerFrames } from './sockets/server-frames.ts';

const keepAliveMs = 60_000;
/** When one end has said its last word, the other has so long to say its own. */
const farewellMs = 10_000;
/** How long a goodbye of the gate waits for the end of a frame, and for the client's own. */
const goodbyeMs = 2_000;

interface Open {
  /** Says goodbye and ends it; without words it is cut. */
  readonly end: (goodbye: Goodbye | undefined) => void;
  /** Resolves when it is over. */
  readonly closed: Promise<void>;
}

/** How a handshake ended. */
export type Opened = { readonly isOpen: false; readonly ended: Ended } | ({ readonly isOpen: true } & Open);

/**
 * Passes a WebSocket handshake on, and once Open WebUI has agreed everything that is said in either direction. A no of
 * Open WebUI is an ordinary answer. Rejects with a `Refusal` as long as nothing was said to the client. With a
 * listener, what the client says is judged before it goes on.
 */
export async function relaySocket(exchange: Exchange, listener: Listener | undefined): Promise<Opened> {
  const { req, res, upstream, headers } = exchange;
  // While it was found out who asks; nothing would be told of it later.
  if (res.closed) throw new ClientLeft();
  const out = upstream.request({ method: 'GET', path: req.url ?? '/', headers, use: 'socket' });
  const leave = () => abandon(out, new ClientLeft());
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
  const agreed =
    answer.statusCode === 101 &&
    /^websocket$/i.test(answer.headers.upgrade ?? '') &&
    answer.headers['sec-websocket-extensions'] === undefined;
  const taken = agreed ? takeSocket(req, res) : undefined;
  if (!taken) {
    behind.destroy();
    throw openWebUiTrouble('broken');
  }
  taken.socket.write(handshake(responseHeaders(answer), res));
  if (head.length > 0) behind.unshift(head);
  if (taken.head.length > 0) taken.socket.unshift(taken.head);
  const { socketIdleMs } = upstream.times;
  return { isOpen: true, ...join({ front: taken.socket, behind, listener, idleMs: socketIdleMs }) };
}

function handshake(raw: readonly string[], res: ServerResponse): string {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  for (let at = 0; at + 1 < raw.length; at += 2) lines.push(`${raw[at]}: ${raw[at + 1]}`);
  lines.push(`X-Request-Id: ${String(res.getHeader('x-request-id'))}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

interface Joined {
  readonly front: Duplex;
  readonly behind: Duplex;
  readonly listener: Listener | undefined;
  readonly idleMs: number;
}

function join({ front, behind, listener, idleMs }: Joined): Open {
  const both = [front, behind] as const;
  const cut = () => {
    for (const one of both) one.destroy();
  };
  let timer: NodeJS.Timeout | undefined;
  const cutIn = (ms: number) => (timer ??= setTimeout(cut, ms).unref());
  const down = new ServerFrames();
  const end = (goodbye: Goodbye | undefined) => {
    if (!goodbye) return cut();
    cutIn(goodbyeMs);
    down.sayGoodbye(goodbye);
  };
  // Nothing more goes on of a client that was told goodbye.
  down.once('end', () => behind.destroy());
  const up = listener ? new ClientFrames(listener, end) : undefined;
  for (const one of both) {
    if (one instanceof Socket) one.setNoDelay(true).setKeepAlive(true, keepAliveMs).setTimeout(idleMs, cut);
    one.once('end', () => cutIn(farewellMs));
  }
  for (const one of [...both, down, up]) one?.on('error', cut);
  const leave = (gone: Duplex, left: Duplex) =>
    new Promise<void>((resolve) => {
      const over = () => {
        // What was said last is still on its way.
        if (gone.readableEnded || left.writableEnded) cutIn(goodbyeMs);
        else cut();
        resolve();
      };
      if (gone.closed) over();
      else gone.once('close', over);
    });
  const closed = Promise.all([leave(front, behind), leave(behind, front)]).then(() => {
    clearTimeout(timer);
    up?.destroy();
  });
  (up ? front.pipe(up) : front).pipe(behind);
  behind.pipe(down).pipe(front);
  return { end, closed };
}
