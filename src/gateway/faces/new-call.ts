import type { IncomingMessage } from 'node:http';
import type { Call, CallPath, ClientSide, Face, Gate } from '../call.ts';

const silent: ClientSide = { notify: () => undefined };

/** A call as it arrives: nothing is known of it but where it came in. */
export function newCall(
  gate: Gate,
  o: {
    face: Face;
    req: IncomingMessage;
    requestId: string;
    clientIp: string;
    path: CallPath;
    client?: ClientSide;
    readMessage?: (call: Call) => Promise<void> | void;
  },
): Call {
  const { headers } = o.req;
  return {
    face: o.face,
    requestId: o.requestId,
    startedAt: gate.clock(),
    path: o.path,
    httpMethod: o.req.method ?? '',
    header: (name) => {
      const value = headers[name];
      return typeof value === 'string' ? value : undefined;
    },
    paramHeaders: undefined,
    clientIp: o.clientIp,
    controller: new AbortController(),
    readMessage: o.readMessage ?? (() => undefined),
    client: o.client ?? silent,
    principal: undefined,
    snapshot: gate.snapshot(),
    rights: undefined,
    era: 'legacy',
    mode: 'all',
    audience: 'any',
    message: undefined,
    capabilities: '{}',
    session: null,
    tenant: null,
    servers: [],
    targets: [],
    tool: null,
    rawParams: undefined,
    response: undefined,
    outcome: 'ok',
    reason: null,
    status: 200,
    bytesIn: 0,
  };
}
