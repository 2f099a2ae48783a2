import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../../platform/errors.ts';
import { tellRefused } from '../../../platform/http/answered.ts';
import type { Turn } from '../../../platform/http/server.ts';
import type { SnapshotServer } from '../../../access/index.ts';
import { type Call, type Gate, principalOf } from '../../call.ts';
import { connectable } from '../../connect/connect-tool.ts';
import { knownServers } from '../../operations/lists.ts';
import { runPipeline } from '../../pipeline.ts';
import { Refusal } from '../../refusal.ts';
import { noCredential, upstreamFailed } from '../../refusals.ts';
import type { Known } from '../../lists/known.ts';
import type { Viewer } from '../../lists/view.ts';
import { WireError } from '../../rpc/wire-error.ts';
import { detailOf } from '../../steps/check-arguments.ts';
import { newCall } from '../new-call.ts';
import type { ToolsPath } from '../paths.ts';
import { readBody } from '../request-body.ts';
import { docsPage } from './docs-page.ts';
import type { Document, Documents, Section } from './document.ts';
import { followLink, linkPurpose } from './link.ts';
import { httpAnswer, statusOf } from './result.ts';

export interface OpenApiParts {
  readonly gate: Gate;
  readonly documents: Documents;
}

export interface OpenApiArrival extends ToolsPath {
  readonly requestId: string;
  readonly clientIp: string;
  readonly turn: Turn;
}

/** Tools as HTTP routes, with the paths, bodies and answers of mcpo 0.0.20 (docs/openapi.md). Never rejects. */
export async function serveOpenApi(
  parts: OpenApiParts,
  req: IncomingMessage,
  res: ServerResponse,
  arrival: OpenApiArrival,
): Promise<void> {
  const { target } = arrival;
  const allowed = target.kind === 'tool' ? 'POST' : 'GET';
  if (req.method !== allowed) {
    req.resume();
    tellRefused(res, 'method_not_allowed');
    return send(res, { status: 405, text: '{"detail":"Method Not Allowed"}' }, { allow: allowed });
  }
  const call = newFaceCall(parts.gate, req, arrival);
  res.once('close', () => {
    if (!res.writableFinished) call.controller.abort(new Error('the client is gone'));
  });
  try {
    await runPipeline(call, parts.gate);
    if (target.kind === 'tool') {
      if (call.response === undefined) throw new Error('forward left no response');
      return send(res, httpAnswer(call.response));
    }
    const document = await documentOf(call, parts);
    if (target.kind === 'document') return send(res, { status: 200, text: document.text });
    return sendPage(res, docsPage(document));
  } catch (error) {
    // An unread body would make the next request on this connection unreadable.
    if (!req.complete) req.resume();
    return fail(res, error, call, parts.gate);
  }
}

function newFaceCall(gate: Gate, req: IncomingMessage, arrival: OpenApiArrival): Call {
  const { path, target, requestId, clientIp, turn } = arrival;
  const sealed = target.kind === 'tool' ? null : new URLSearchParams(req.url?.split('?')[1]).get('spec');
  const proof = () => followLink(sealed ?? '', gate.sealerFor(linkPurpose), path, gate.snapshot());
  return newCall(gate, {
    ...{ face: 'openapi', req, requestId, clientIp, path, turn },
    ...(sealed !== null && { proof }),
    client: {
      notify: () => undefined,
      ask: () =>
        Promise.resolve({
          rawError: '{"code":-32601,"message":"This caller came over plain HTTP and cannot be asked"}',
        }),
    },
    readMessage: async (call) => {
      if (target.kind === 'tool')
        await readCall(call, target.tool, req, gate.settings.maxBodyBytes('openapi'));
    },
  });
}

async function readCall(call: Call, tool: string, req: IncomingMessage, limit: number): Promise<void> {
  const body = await readBody(req, limit);
  call.bytesIn = body.length;
  const text = body.toString('utf8');
  const type = req.headers['content-type'] ?? '';
  const isJson = type === '' || /^application\/(?:[\w.+-]+\+)?json\b/i.test(type);
  // Of any other type it is a text, which is no object: mcpo says so too.
  call.httpBody = isJson || text === '' ? text : JSON.stringify(text);
  const params = { name: tool };
  call.message = {
    kind: 'request',
    rawId: '1',
    method: 'tools/call',
    params,
    rawParams: JSON.stringify(params),
  };
}

async function documentOf(call: Call, { gate, documents }: OpenApiParts): Promise<Document> {
  const known = await knownServers(call, gate);
  const sections = known.map((one) => sectionOf(call, gate, one));
  const toConnect = connectable(call, gate, call.servers).map((one) => connectSection(call, gate, one));
  const { server } = call.path;
  if (server === null) return documents.merged([...sections, ...toConnect].sort(byServer));
  const [only = toConnect[0]] = sections;
  if (!only) throw noCredential(server);
  const [first] = known;
  // Open WebUI may keep what it fetches until its next start: better nothing than a server without tools.
  if (first && !first.hello) throw upstreamFailed(server, first.failure);
  return documents.ofServer(only);
}

function sectionOf(call: Call, gate: Gate, known: Known): Section {
  const { server } = known.target;
  const { serverInfo, instructions } = known.hello ?? {};
  return {
    ...{ server: server.id, serverInfo, instructions },
    view: gate.views.view(viewerOf(call, gate, server.id), 'tools', [known]),
  };
}

/** A server of which the caller sees nothing yet but how to connect an account there. */
function connectSection(call: Call, gate: Gate, server: SnapshotServer): Section {
  const viewer = { ...viewerOf(call, gate, server.id), connectable: [server] };
  const serverInfo = { name: server.definition.displayName ?? server.id };
  return {
    server: server.id,
    serverInfo,
    instructions: undefined,
    view: gate.views.view(viewer, 'tools', []),
  };
}

function viewerOf(call: Call, gate: Gate, server: string): Viewer {
  const { snapshot, era } = call;
  return { snapshot, principal: principalOf(call), now: gate.clock(), audience: 'any', era, server };
}

function byServer(a: Section, b: Section): number {
  if (a.server === b.server) return 0;
  return a.server < b.server ? -1 : 1;
}

/** The one place where errors of this face become answers, in mcpo's shapes: a model reads them as text. */
function fail(res: ServerResponse, error: unknown, call: Call, gate: Gate): void {
  if (error instanceof Refusal) return refuse(res, error);
  if (error instanceof AppError) {
    // mcpo: 401 without a key, 403 with a wrong one.
    const isWrong = error.status === 401 && call.header('authorization') !== undefined;
    return send(res, { status: isWrong ? 403 : error.status, text: detail(error.message) }, error.headers);
  }
  if (error instanceof WireError) return send(res, { status: error.status, text: detail(error.message) });
  // What went wrong in the pipeline stands in the log already.
  if (call.outcome !== 'error' && !call.controller.signal.aborted)
    gate.log.error({ requestId: call.requestId, err: error }, 'an answer could not be made');
  return send(res, {
    status: 500,
    text: detail({ message: `Unexpected error (request ${call.requestId})` }),
  });
}

function refuse(res: ServerResponse, { code, outcome, status, rpcCode, message, data }: Refusal): void {
  if (code === 'invalid_params')
    return send(res, { status: 422, text: detail(detailOf(data) ?? { message }) });
  const wait = (data as { retryAfter?: number } | undefined)?.retryAfter ?? 1; // only rateLimited() sets it
  if (outcome === 'rate_limited')
    return send(res, { status, text: detail(message) }, { 'retry-after': String(wait) });
  // "Not yours" is "not there", also where MCP says so in band.
  if (outcome === 'denied')
    return send(res, { status: status === 200 ? 404 : status, text: detail(message) });
  const failed = status === 200 ? statusOf(rpcCode) : status;
  return send(res, { status: failed, text: detail({ message }) });
}

function detail(value: unknown): string {
  return JSON.stringify({ detail: value });
}

function send(
  res: ServerResponse,
  { status, text }: { status: number; text: string },
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.writableEnded || res.destroyed) return;
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    ...headers,
  });
  res.end(text);
}

function sendPage(res: ServerResponse, html: string): void {
  if (res.writableEnded || res.destroyed) return;
  res.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(html),
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  });
  res.end(html);
}
