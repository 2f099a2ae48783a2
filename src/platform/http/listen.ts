import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '../errors.ts';
import type { HttpServer, Mount } from './server.ts';

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

/**
 * Lets nobody new in, has every part say goodbye, and lets requests under way finish within `ms`. Parts that leave last do so
 * when everything else is over, or time is up.
 */
export function drain(server: HttpServer, mounts: readonly Mount[], ms: number): Promise<void> {
  const drained = server.open.drain(ms, {
    quiet() {
      for (const mount of mounts) if (mount.leavesLast) mount.leave?.();
    },
    giveUp() {
      for (const mount of mounts) mount.giveUp?.();
    },
  });
  for (const mount of mounts) if (!mount.leavesLast) mount.leave?.();
  return drained;
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
