import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '../errors.ts';

/** Listens and resolves with the port. Rejects with one sentence when the address cannot be had. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refused(error, host, port)));
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port)); // a TCP server has no other kind
  });
}

/** Rejects, like `listen`, when the port is taken: said before anything is started that would have to be ended again. */
export async function checkPort(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await listen(probe, host, port);
  await new Promise((resolve) => probe.close(resolve));
}

/** How long requests under way may take to finish once nobody new is let in, in milliseconds. */
const drainMs = 3_000;

/** Takes no new connections, ends long-lived streams, lets requests under way finish within a limit. */
export function stopListening(server: Server, endStreams: () => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), drainMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    endStreams();
    server.closeIdleConnections();
  });
}

function refused(error: NodeJS.ErrnoException, host: string, port: number): AppError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} is in use already; stop the other program or choose another port with PORT.`,
    EACCES: `Port ${port} may not be used by this user; choose one above 1023 with PORT.`,
    EADDRNOTAVAIL: `This machine has no address ${host}; HOST says which one to listen on.`,
    ENOTFOUND: `HOST is "${host}", which is no address of this machine.`,
  };
  return new AppError(
    'cannot_listen',
    500,
    why[error.code ?? ''] ?? `Cannot listen on ${host}:${port} (${error.code}).`,
    { cause: error },
  );
}
