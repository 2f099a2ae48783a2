// Records of requests that the pipeline does not see.
import type { Server } from 'node:http';
import { requestRecord } from '../audit/index.ts';
import { templateOf } from '../gateway/index.ts';
import { watchAnswer } from '../platform/http/answered.ts';
import { originReader } from '../platform/http/client-address.ts';
import type { Mount } from '../platform/http/server.ts';
import type { Parts } from './build.ts';

/** Paths are recorded by what they are called, for callers can make up any.. */
const templates = [
  [/^\/mcp-admin\/api\//, '/mcp-admin/api/{unknown}'],
  [/^\/\.well-known\/oauth-protected-resource/, '/.well-known/oauth-protected-resource/{resource}'],
] as const;

/** A program that looks every few seconds is not recorded, unless it is refused. */
const status = new Set(['/gateway/health', '/gateway/ready', '/metrics']);

export function recordRequests(
  server: Server,
  { config, recorder, gateway }: Parts,
  mounts: readonly Mount[],
): void {
  const originOf = originReader(config.TRUSTED_PROXIES);
  // Before the server itself, which may answer at once.
  server.prependListener('request', (req, res) => {
    const [path = '/'] = (req.url ?? '/').split('?', 1);
    const mount = mounts.find((one) => one.takes(path));
    const known = templates.find(([pattern]) => pattern.test(path))?.[1];
    watchAnswer(
      {
        ...{ req, res, clientIp: originOf(req).clientIp },
        template: known ?? (mount === gateway ? templateOf(path) : ofPart(mount, path)) ?? '/{unknown}',
        // Each of their requests is a call, which has a record of its own.
        isToldElsewhere: mount === gateway || mount?.isForeign === true,
      },
      (answered) => {
        if (answered.status >= 400 || !status.has(path)) recorder.record(requestRecord(answered));
      },
    );
  });
}

/** Those of other parts have no parameters; behind a foreign one there may be anything. */
function ofPart(mount: Mount | undefined, path: string): string | undefined {
  return mount === undefined || mount.isForeign ? undefined : path;
}
