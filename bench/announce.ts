import type { AddressInfo, Server } from 'node:net';

/** Listens on any free port and prints it in the words that `startServer` waits for. */
export function announcePort(server: Server): void {
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo; // a TCP server has no other kind
    process.stdout.write(`listening at http://localhost:${port}\n`);
  });
}
