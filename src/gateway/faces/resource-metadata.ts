import type { Identity } from '../../identity/index.ts';
import { type Mount, sendJson } from '../../platform/http/server.ts';
import { isResource } from './paths.ts';

const prefix = '/.well-known/oauth-protected-resource';

/** RFC 9728: one document for each URL that tools are called at, at the path that belongs to it; without one, that of `/mcp`. */
export function resourceMetadataMount(identity: Identity): Mount {
  return {
    takes: (path) =>
      path === prefix || (path.startsWith(`${prefix}/`) && isResource(path.slice(prefix.length))),
    serve: (_req, res, { path }) => {
      const document = identity.protectedResourceMetadata(path.slice(prefix.length) || '/mcp');
      // Clients in a browser read it before they have any right to anything.
      sendJson(res, 200, document, { 'access-control-allow-origin': '*', 'cache-control': 'max-age=300' });
    },
  };
}
