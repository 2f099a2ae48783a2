// Receivers of records: they take, refuse, hang and drop, as a test says.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';

export type Mood = 'takes' | 'refuses' | 'drops' | 'hangs';

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Takes POSTs. What it dropped after reading may come again. */
export async function httpReceiver() {
  const state = { mood: 'takes' as Mood, bodies: [] as string[], headers: [] as Record<string, unknown>[] };
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (state.mood === 'hangs') return;
    const body = await text(req);
    if (state.mood === 'refuses') return void res.writeHead(503).end();
    state.bodies.push(body);
    state.headers.push(req.headers);
    if (state.mood === 'drops') return void req.socket.destroy();
    res.writeHead(204).end();
  };
  const server = createServer((req, res) => void answer(req, res));
  const url = `http://127.0.0.1:${await listening(server)}/`;
  const rows = () =>
    state.bodies.flatMap((body) => body.trimEnd().split('\n')).map((line) => JSON.parse(line));
  return Object.assign(state, { url, rows });
}

/** Takes syslog messages framed by their length, over TCP or TLS. */
export async function syslogReceiver(tls?: { readonly key: string; readonly cert: string }) {
  const state = { mood: 'takes' as Mood, messages: [] as string[] };
  const onConnection = (socket: Socket) => {
    const chunks: Buffer[] = [];
    socket.on('error', () => undefined);
    if (state.mood === 'hangs') return void socket.pause();
    if (state.mood === 'drops') return void socket.once('data', () => socket.resetAndDestroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => state.messages.push(...unframed(Buffer.concat(chunks))));
  };
  const server = tls === undefined ? createTcpServer(onConnection) : createTlsServer(tls, onConnection);
  return Object.assign(state, { port: await listening(server) });
}

export async function udpReceiver() {
  const messages: string[] = [];
  const socket = createSocket('udp4').on('message', (message) => messages.push(message.toString()));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return { messages, port: socket.address().port };
}

function unframed(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString());
    found.push(bytes.subarray(space + 1, space + 1 + length).toString());
    at = space + 1 + length;
  }
  return found;
}
