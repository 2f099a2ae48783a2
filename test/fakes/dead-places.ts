// Addresses where no MCP server answers, each in another way.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { listenOnLoopback } from './loopback.ts';

export const deadWays = ['refused', 'silent', 'fails', 'garbage'] as const;
export type DeadWay = (typeof deadWays)[number];

export interface DeadPlaces {
  readonly origins: Readonly<Record<DeadWay, string>>;
  /** Connections to the silent place that were given up by whoever made them. */
  givenUp(): number;
  /** The silent place cuts every connection, those to come too. */
  letGo(): void;
  close(): Promise<void>;
}

export async function startDeadPlaces(): Promise<DeadPlaces> {
  const held = new Set<Socket>();
  let givenUp = 0;
  let isCutting = false;
  const silent = await listen((socket) => {
    if (isCutting) return void socket.resetAndDestroy();
    held.add(socket);
    socket.resume().once('close', () => {
      if (!isCutting) givenUp += 1;
      held.delete(socket);
    });
  });
  const garbage = await listen((socket) => void socket.resume().end('220 mail.example ready\r\n'));
  const fails = await listenOnLoopback((_, response) => void response.writeHead(500).end('Internal error'));
  const closed = await listenOnLoopback(() => undefined);
  await closed.close();
  const letGo = () => {
    isCutting = true;
    for (const socket of held) socket.resetAndDestroy();
  };
  return {
    origins: {
      refused: closed.origin,
      silent: `http://127.0.0.1:${portOf(silent)}`,
      fails: fails.origin,
      garbage: `https://127.0.0.1:${portOf(garbage)}`,
    },
    givenUp: () => givenUp,
    letGo,
    close: async () => {
      letGo();
      await Promise.all([
        fails.close(),
        ...[silent, garbage].map((one) => new Promise((end) => one.close(end))),
      ]);
    },
  };
}

async function listen(take: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    take(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
