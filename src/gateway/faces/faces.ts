import type { Mount } from '../../platform/http/server.ts';
import type { CallPath } from '../call.ts';
import type { FaceParts } from './face-parts.ts';
import { Documents } from './openapi/document.ts';
import { serveOpenApi } from './openapi/serve.ts';
import { parsePath, parseSsePath, parseToolsPath } from './paths.ts';
import { serveServers } from './servers.ts';
import { SseFace } from './sse.ts';
import { serveStreamableHttp } from './streamable-http.ts';

export interface Faces extends Mount {
  close(): void;
}

/** Which face serves a path. */
export function createFaces(parts: FaceParts): Faces {
  const { gate } = parts;
  const documents = new Documents();
  const sse = new SseFace(parts);
  // The HTTP server asks who takes a path, and has it served at once: it is read once for both.
  let last: { readonly raw: string; readonly path: CallPath | undefined } | undefined;
  const mcpPath = (raw: string) => {
    if (last?.raw !== raw) last = { raw, path: parsePath(raw) };
    return last.path;
  };
  return {
    takes: (path) =>
      path === '/servers' ||
      (mcpPath(path) ?? parseSsePath(path) ?? parseToolsPath(path, undefined)) !== undefined,
    serve(req, res, arrival) {
      const path = mcpPath(arrival.path);
      if (path) return serveStreamableHttp(parts, req, res, { ...arrival, path });
      const tools = parseToolsPath(arrival.path, req.method);
      if (tools) return serveOpenApi({ gate, documents }, req, res, { ...arrival, ...tools });
      const ssePath = parseSsePath(arrival.path);
      if (ssePath) return sse.serve(req, res, { ...arrival, path: ssePath });
      return serveServers(gate, req, res, arrival);
    },
    close: () => sse.close(),
  };
}
