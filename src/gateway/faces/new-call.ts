import type { IncomingMessage } from 'node:http';
import type { Principal } from '../../access/contract.ts';
import type { Turn } from '../../platform/http/server.ts';
import type { Call, CallPath, ClientSide, Face, Gate, Passing } from '../call.ts';
import { modeIn } from '../meta/mode.ts';

const silent: ClientSide = { notify: () => undefined };

/** A call as it arrives: nothing is known of it but where it came in. */
export function newCall(
  gate: Gate,
  o: {
    face: Face;
    req: Pick<IncomingMessage, 'headers' | 'method' | 'url'>;
    requestId: string;
    clientIp: string;
    path: CallPath;
    client?: ClientSide;
    readMessage?: (call: Call) => Promise<void> | void;
    passing?: Passing;
    proof?: (() => Principal) | undefined;
    /** Left out where the request that the call came in has been counted already. */
    turn?: Turn;
    /** Where the request that proves who is calling is another one than this. */
    subjectToken?: () => string | undefined;
  },
): Call {
  const { headers } = o.req;
  const call: Call = {
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
    proof: o.proof,
    subjectToken: o.subjectToken ?? (() => subjectTokenOf(call)),
    readMessage: o.readMessage ?? (() => undefined),
    passing: o.passing,
    turn: o.turn,
    client: o.client ?? silent,
    principal: undefined,
    snapshot: gate.snapshot(),
    rights: undefined,
    era: 'legacy',
    mode: modeIn(o.req.url ?? ''),
    audience: 'any',
    message: undefined,
    clientName: undefined,
    capabilities: '{}',
    session: null,
    logLevel: undefined,
    tenant: null,
    servers: [],
    targets: [],
    tool: null,
    httpBody: undefined,
    metaTool: null,
    connects: false,
    offer: null,
    rawParams: undefined,
    response: undefined,
    outcome: 'ok',
    reason: null,
    status: 200,
    bytesIn: 0,
    isCounted: false,
    leave: undefined,
    bytesOut: 0,
    span: undefined,
  };
  return call;
}

/** The credential of the request, when it proved to be an access token. */
function subjectTokenOf({ proof, principal, header }: Call): string | undefined {
  if (proof || !principal?.authSource.startsWith('oidc:')) return undefined;
  return /^bearer +(\S+)$/i.exec(header('authorization') ?? '')?.[1];
}
