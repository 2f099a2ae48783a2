import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { afterAll, beforeAll } from 'vitest';
import type { AdminApp } from '../src/admin/index.ts';

/** An admin API for the command line to call, while the tests of a file run; `others` answers all other paths. */
export function adminListener(
  app: AdminApp,
  others?: (request: IncomingMessage, response: ServerResponse) => void,
): { readonly url: () => string } {
  let server: Server;
  let url = '';
  const admin = getRequestListener((request) =>
    app.fetch(request, { clientIp: '127.0.0.1', requestId: 'r1' }),
  );
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (others === undefined || request.url?.startsWith('/mcp-admin/')) void admin(request, response);
      else others(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: () => url };
}
