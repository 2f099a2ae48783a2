import { getRequestListener } from '@hono/node-server';
import type { Mount } from '../platform/http/server.ts';
import type { AdminApp } from './app.ts';

/** The admin app as a part of the HTTP server. */
export function adminMount(admin: AdminApp): Mount {
  return {
    takes: (path) => path.startsWith('/mcp-admin/api/'),
    serve: (req, res, info) => getRequestListener((request) => admin.fetch(request, info))(req, res),
  };
}
