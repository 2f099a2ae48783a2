import { type Context, Hono } from 'hono';
import type { Principal } from '../access/contract.ts';
import type { Route } from '../platform/contract.ts';
import type { Noted } from '../platform/http/answered.ts';
import { AppError, refusalOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { adminErrors } from './errors.ts';
import { answerError } from './answer-error.ts';
import { openApiDocument } from './openapi.ts';
import { parseInput } from './parse-input.ts';

/** What the listener knows about a request that the request itself does not say. */
export interface RequestInfo {
  readonly clientIp: string;
  readonly requestId: string;
  /** Tells whoever records the request what is found out of it. */
  readonly note?: (noted: Noted) => void;
}

export interface AdminApp {
  fetch(request: Request, info: RequestInfo): Promise<Response>;
}

export interface AdminDeps {
  readonly routes: readonly Route[];
  /** Throws AppError 401 when the request proves nobody. */
  readonly authenticate: (request: Request) => Promise<{ principal: Principal; isAdmin: boolean }>;
  readonly log: Log;
  readonly version: string;
  readonly publicUrl: string;
}

type Env = { Bindings: RequestInfo };

const basePath = '/mcp-admin/api';

/** Serves every route under `/mcp-admin/api`, for admins only, and `openapi.json`, which holds no data, for everyone. */
export function createAdminApp(deps: AdminDeps): AdminApp {
  const app = new Hono<Env>().basePath(basePath);
  const document = JSON.stringify(openApiDocument(deps.routes, { ...deps, basePath }));

  app.get('/openapi.json', (c) => c.body(document, 200, { 'content-type': 'application/json' }));
  for (const entry of deps.routes) {
    app.on(entry.endpoint.method, honoPath(entry), (c) => serve(deps, entry, c));
  }
  for (const [path, methods] of methodsByPath(deps.routes)) {
    app.all(path, () => {
      throw adminErrors.methodNotAllowed(methods);
    });
  }
  app.notFound(() => {
    throw adminErrors.notFound();
  });
  app.onError((error, c) => {
    c.env.note?.({
      reason: error instanceof AppError ? error.code : 'internal_error',
      refusal: refusalOf(error),
    });
    return answerError(error, c.env.requestId, deps.log);
  });
  return {
    async fetch(request, info) {
      const response = await app.fetch(request, info);
      response.headers.set('X-Request-Id', info.requestId);
      response.headers.set('Cache-Control', 'no-store');
      response.headers.set('X-Content-Type-Options', 'nosniff');
      return response;
    },
  };
}

async function serve(deps: AdminDeps, { endpoint, handle }: Route, c: Context<Env>): Promise<Response> {
  c.env.note?.({ template: `${basePath}${endpoint.path}` });
  const { principal, isAdmin } = await deps.authenticate(c.req.raw);
  c.env.note?.({ principal: principal.id, authSource: principal.authSource });
  if (!isAdmin) throw adminErrors.notAnAdmin();
  const input = await parseInput(endpoint, {
    params: c.req.param(),
    query: c.req.queries(),
    request: c.req.raw,
  });
  const { clientIp, requestId } = c.env;
  const answer = await handle({ ...input, actor: { id: principal.id, requestId, clientIp } });
  // A download, written as it is read.
  if (answer instanceof Response) return answer;
  if (endpoint.status === 204) return c.body(null, 204);
  // Parsed on the way out, so that a field which the contract does not name never leaves.
  const output = endpoint.output.safeParse(answer);
  if (output.success) return c.json(output.data, endpoint.status);
  throw new AppError('internal_error', 500, 'Something went wrong here.', { cause: output.error });
}

function honoPath({ endpoint }: Route): string {
  return endpoint.path.replace(/\{(\w+)\}/g, ':$1');
}

function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const byPath = new Map<string, string[]>([['/openapi.json', ['GET']]]);
  for (const entry of routes) {
    const path = honoPath(entry);
    byPath.set(path, [...(byPath.get(path) ?? []), entry.endpoint.method]);
  }
  return byPath;
}
