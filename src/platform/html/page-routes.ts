import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import { isLoopbackName } from '../http/form.ts';
import type { Arrival, Mount } from '../http/server.ts';
import type { Log } from '../log.ts';
import { html } from './html.ts';
import { redirect, sendPage } from './page.ts';

/** One request for a page. */
export interface PageRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly arrival: Arrival;
  readonly query: URLSearchParams;
}

type PageHandler = (request: PageRequest) => Promise<void> | void;

export interface PageRoutes {
  /** `GET /path` or `POST /path` -> what answers; `/path/*` takes any one name there. */
  readonly routes: Readonly<Record<string, PageHandler>>;
  /** The address that people use. */
  readonly publicUrl: string;
  readonly log: Log;
}

/** Pages for people as a part of the HTTP server: what goes wrong in one becomes a page with a plain sentence. */
export function pageMount({ routes, publicUrl, log }: PageRoutes): Mount {
  const paths = new Set(Object.keys(routes).map((route) => route.split(' ')[1]));
  const routeOf = (path: string) => (paths.has(path) ? path : `${path.slice(0, path.lastIndexOf('/') + 1)}*`);
  return {
    takes: (path) => paths.has(routeOf(path)),
    async serve(req, res, arrival) {
      const handler = routes[`${req.method} ${routeOf(arrival.path)}`];
      try {
        if (!handler) throw notAllowed(Object.keys(routes), routeOf(arrival.path));
        const elsewhere = properAddress(req, publicUrl);
        if (elsewhere !== undefined) return redirect(res, elsewhere);
        await handler({ req, res, arrival, query: queryOf(req) });
      } catch (error) {
        if (!req.complete) req.resume();
        fail(res, error, arrival, log);
      }
    },
  };
}

function notAllowed(routes: readonly string[], path: string): AppError {
  const methods = routes.filter((route) => route.endsWith(` ${path}`)).map((route) => route.split(' ')[0]);
  const headers = { allow: methods.join(', ') };
  return new AppError('method_not_allowed', 405, 'This page cannot be asked for in this way.', { headers });
}

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
}

/**
 * This machine has several names, and a cookie belongs to one: whoever comes by another than the one that sign-in
 * services send browsers back to is sent there first.
 */
function properAddress(req: IncomingMessage, publicUrl: string): string | undefined {
  const proper = new URL(publicUrl);
  const { host } = req.headers;
  if (req.method !== 'GET' || host === undefined || host === proper.host) return undefined;
  const named = URL.parse(`${proper.protocol}//${host}`);
  if (!named || !isLoopbackName(named.hostname) || !isLoopbackName(proper.hostname)) return undefined;
  return named.port === proper.port ? `${proper.origin}${req.url}` : undefined;
}

function fail(res: ServerResponse, error: unknown, { requestId, path }: Arrival, log: Log): void {
  const known = error instanceof AppError && error.status < 500 ? error : undefined;
  if (!known) log.error({ err: error, requestId, path }, 'a page could not be shown');
  if (res.headersSent || res.destroyed) return void res.destroy();
  const shown = error instanceof AppError && error.status === 503 ? error : known;
  const status = shown?.status ?? 500;
  const sentence = shown?.message ?? 'Something went wrong here; try again in a moment.';
  const body = html`<p class="note bad" role="alert">${sentence}</p><p class="soft">Request ${requestId}</p>`;
  sendPage(res, status, { title: 'That did not work', body }, known?.headers);
}
