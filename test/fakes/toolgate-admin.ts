// As much of Toolgate as a program needs that connects something to it: keys, links, records. No rights, no tools.
import { getRequestListener } from '@hono/node-server';
import { api as access, type Principal } from '../../src/access/contract.ts';
import { createAdminApp } from '../../src/admin/index.ts';
import { api as audit } from '../../src/audit/contract.ts';
import { api as gateway } from '../../src/gateway/contract.ts';
import { api as identity } from '../../src/identity/contract.ts';
import { route } from '../../src/platform/contract.ts';
import { AppError } from '../../src/platform/errors.ts';
import { createLog } from '../../src/platform/log.ts';
import { type Loopback, listenOnLoopback } from './loopback.ts';

/** The operator's token. */
export const adminToken = 'right';

const admin: Principal = {
  kind: 'service',
  id: 'admin-token',
  assertedGroups: [],
  assertedBy: null,
  tokenTenant: null,
  authSource: 'admin-token',
  credentialId: 'admin-token',
};

interface State {
  /** What each key was asked for with; the first one is `tg_key1`. */
  readonly keys: object[];
  /** The same for links: `…?spec=sealed1`. */
  readonly links: object[];
  /** `GET /analytics`, newest first. */
  readonly records: Record<string, unknown>[];
  /** Why nothing can be shown, if so. */
  complaint: string | undefined;
}

export type FakeToolgate = State & Loopback;

export async function startFakeToolgate(): Promise<FakeToolgate> {
  const state: State = { keys: [], links: [], records: [], complaint: undefined };
  const app = adminApi(state);
  const listener = getRequestListener((request) =>
    app.fetch(request, { clientIp: '127.0.0.1', requestId: 'r1' }),
  );
  const loopback = await listenOnLoopback((request, response) => {
    if (request.url?.startsWith('/mcp-admin/')) return void listener(request, response);
    const isKey = state.keys.some((_, at) => request.headers.authorization === `Bearer tg_key${at + 1}`);
    const isLink = state.links.some((_, at) => request.url?.endsWith(`?spec=sealed${at + 1}`));
    const gone = state.complaint !== undefined;
    const body = gone ? { detail: { message: state.complaint } } : { items: [] };
    response.writeHead((isKey || isLink) && !gone ? 200 : 401).end(JSON.stringify(body));
  });
  return Object.assign(state, loopback);
}

function adminApi(state: State) {
  return createAdminApp({
    ...{ log: createLog('silent'), version: '0', publicUrl: 'http://localhost' },
    authenticate: async (request) => {
      if (request.headers.get('authorization') !== `Bearer ${adminToken}`)
        throw new AppError('unauthenticated', 401, 'This token is not valid.');
      return { principal: admin, isAdmin: true };
    },
    routes: [
      route(identity.createToken, async ({ body }) => {
        state.keys.push(body);
        return { id: '7b0b6c1e-3d5a-4a86-9c5f-0d6c1b1f7a01', token: `tg_key${state.keys.length}` };
      }),
      // What the answers hold is checked by the contract that prints and reads them.
      route(audit.listAnalytics, async () => ({ items: state.records as never, nextCursor: null })),
      route(gateway.createOpenApiLink, async ({ body }) => {
        state.links.push(body);
        return { url: `https://elsewhere/g/x/tools/openapi.json?spec=sealed${state.links.length}` };
      }),
      route(access.getServer, async () => {
        throw new AppError('server_not_found', 404, 'There is no server with this id.');
      }),
    ],
  });
}
