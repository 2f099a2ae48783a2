// WebSocket handshakes go the way of every request, so that no check is left out, and refusals are ordinary answers.
import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

interface Upgrade {
  readonly socket: Duplex;
  /** What came after the handshake already. */
  readonly head: Buffer;
}

/** How long a refused client may take to close its end, in milliseconds. */
const lingerMs = 2_000;

/** The connection of each handshake, until somebody takes it. A note about a request, gone with it. */
const upgrades = new WeakMap<IncomingMessage, Upgrade>();

/** Does it ask for a WebSocket (RFC 6455 section 4.1)? Other upgrades, such as h2c, are nobody's here. */
export function wantsSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && /^websocket$/i.test(headers.upgrade ?? '');
}

/** An answer to a handshake: the connection ends after it, unless it is taken over. */
export function answerToUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  upgrades.set(req, { socket, head });
  // Whoever takes the connection over listens too; until then a lost client is no failure of this program.
  socket.on('error', () => socket.destroy());
  if (socket instanceof Socket) res.assignSocket(socket);
  else socket.destroy();
  res.once('finish', () => hangUp(socket));
  return res;
}

/** What the client still says is read, or a reset could overtake the answer; whoever does not close is not waited for. */
function hangUp(socket: Duplex): void {
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}

/** Takes the connection out of HTTP; undefined for a request that is no handshake. Then `res` says nothing any more. */
export function takeSocket(req: IncomingMessage, res: ServerResponse): Upgrade | undefined {
  const upgrade = upgrades.get(req);
  if (!upgrade) return undefined;
  upgrades.delete(req);
  if (upgrade.socket instanceof Socket) res.detachSocket(upgrade.socket);
  return upgrade;
}

/** Is it a handshake whose connection can be taken? */
export function isUpgrade(req: IncomingMessage): boolean {
  return upgrades.has(req);
}
