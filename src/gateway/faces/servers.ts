import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../../platform/errors.ts';
import { type Arrival, sendJson } from '../../platform/http/server.ts';
import type { Call, Gate } from '../call.ts';
import { accountView, nameOf } from '../connect/account-of.ts';
import { runPipeline } from '../pipeline.ts';
import { Refusal } from '../refusal.ts';
import { newCall } from './new-call.ts';
import { Reply } from './reply.ts';

/** `GET /servers`: the caller's servers, with the path each one is reached at. */
export async function serveServers(
  gate: Gate,
  req: IncomingMessage,
  res: ServerResponse,
  arrival: Arrival,
): Promise<void> {
  if (req.method !== 'GET') return new Reply(res).notAllowed('GET');
  const path = { tenant: null, server: null, group: null, template: '/servers', raw: '/mcp' };
  const call = newCall(gate, {
    face: 'servers',
    req,
    requestId: arrival.requestId,
    clientIp: arrival.clientIp,
    turn: arrival.turn,
    path,
  });
  try {
    await runPipeline(call, gate);
    return sendJson(res, 200, { items: itemsOf(call, gate) });
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof AppError)) throw error;
    const headers = error instanceof AppError ? error.headers : {};
    return sendJson(
      res,
      error.status,
      { error: { code: error.code, message: error.message, requestId: arrival.requestId } },
      headers,
    );
  }
}

function itemsOf(call: Call, gate: Gate) {
  const tenant = call.tenant?.id;
  return call.servers.map((server) => ({
    id: server.id,
    displayName: nameOf(server),
    description: server.definition.description ?? '',
    path: `${tenant === undefined ? '' : `/t/${tenant}`}/mcp/${server.id}`,
    account: accountView(call, gate, server),
  }));
}
