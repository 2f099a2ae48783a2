import { getRequestListener } from '@hono/node-server';
import { note } from '../platform/http/answered.ts';
import type { Mount } from '../platform/http/server.ts';
import type { AdminApp } from './app.ts';

/** Beside health and readiness, where operators look for it. */
const statsPath = '/gateway/stats';

/** The admin app as a part of the HTTP server. */
export function adminMount(admin: AdminApp): Mount {
  return {
    takes: (path) => path.startsWith('/mcp-admin/api/') || path === statsPath,
    serve(req, res, info) {
      if (info.path === statsPath) req.url = req.url?.replace(statsPath, '/mcp-admin/api/stats');
      return getRequestListener((request) =>
        admin.fetch(request, { ...info, note: (noted) => note(res, noted) }),
      )(req, res);
    },
  };
}
