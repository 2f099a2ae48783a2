import { type Call, type Gate, requestOf } from '../call.ts';
import { isObject, type RpcNotification, type RpcResponse } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import { WireError } from '../rpc/wire-error.ts';
import type { Outgoing } from '../upstreams/outgoing.ts';
import { resolveTenant } from '../steps/resolve-tenant.ts';
import { reachTool, reachWhole } from '../subscriptions/reach.ts';
import type { Target } from '../upstreams/target.ts';
import { knownTool, toolsSeen } from './known-tool.ts';
import { isLegacyOnly } from './modern-notifications.ts';
import { contradiction, paramHeaders } from './param-headers.ts';
import type { GivenAnswers } from './questions.ts';
import { maySuspend, subjectOf } from './retry.ts';
import { asksForMore, throughRounds } from './rounds.ts';

/** A request whose caller and server are of different eras. */
export interface Crossing {
  readonly call: Call;
  readonly gate: Gate;
  readonly target: Target;
  /** Params are in the server's era already. */
  readonly outgoing: Outgoing;
  request(outgoing: Outgoing): Promise<RpcResponse>;
}

/** A modern caller's request: what a server asks in the middle of it parks it. `given`: answers of a replay. */
export function crossToLegacy(crossing: Crossing, given: GivenAnswers | undefined): Promise<RpcResponse> {
  const { call, gate, target } = crossing;
  // Somebody relies on these headers: they are not passed over because the tool was never seen.
  const seeing = call.paramHeaders && toolsSeen(call, gate, target);
  return seeing ? seeing.then(() => sendToLegacy(crossing, given)) : sendToLegacy(crossing, given);
}

function sendToLegacy(crossing: Crossing, given: GivenAnswers | undefined): Promise<RpcResponse> {
  const { call, gate, target } = crossing;
  const { method } = requestOf(call);
  refuseContradiction(crossing);
  const onNotification = (message: RpcNotification) => {
    if (!isLegacyOnly(message.method)) crossing.outgoing.onNotification?.(message);
  };
  const outgoing = { ...crossing.outgoing, onNotification };
  // A client that declared nothing cannot be asked, and its calls are never parked.
  if (call.capabilities === '{}' || !maySuspend(method)) return crossing.request(outgoing);
  const subject = () => subjectOf(call, target);
  const isAllowed = () => mayGoOn(call, gate, target);
  return gate.parked.run({ subject, isAllowed, send: (o) => crossing.request(o), outgoing, given });
}

/** Would the call be let through at this moment, to the same server at the same address with the same credentials? */
function mayGoOn(call: Call, gate: Gate, { key, server: { id } }: Target): boolean {
  const tenant = call.tenant?.id;
  try {
    resolveTenant(call, gate);
  } catch {
    // Why does not matter: a retry would be told.
    return false;
  }
  const reached = call.tool === null ? reachWhole(call, gate, id) : reachTool(call, gate, id, call.tool);
  return call.tenant?.id === tenant && reached?.key === key;
}

/** A legacy server does not look at the headers, so the gate is the last that can. */
function refuseContradiction({ call, gate, target }: Crossing): void {
  // Whoever calls through `call_tool` was not shown the annotations of the tool.
  if (call.mode === 'meta') return;
  const mirrored = knownTool(call, gate, target)?.mirrored;
  if (!mirrored || mirrored.length === 0) return;
  const wrong = contradiction(mirrored, requestOf(call).params?.['arguments'], call.paramHeaders ?? {});
  if (wrong !== undefined) throw new WireError(400, rpcCode.headerMismatch, `Header mismatch: ${wrong}`);
}

/** A legacy caller's request: what the server asks becomes requests to the client. */
export function crossToModern(crossing: Crossing): Promise<RpcResponse> {
  const seeing = toolsSeen(crossing.call, crossing.gate, crossing.target);
  return seeing ? seeing.then(() => sendToModern(crossing)) : sendToModern(crossing);
}

function sendToModern(crossing: Crossing): Promise<RpcResponse> {
  const { outgoing } = crossing;
  const headers = ownParamHeaders(crossing);
  const sent = headers ? { ...outgoing, headers: { ...outgoing.headers, ...headers } } : outgoing;
  return crossing
    .request(sent)
    .then((first) =>
      first.error?.code === rpcCode.headerMismatch
        ? withFreshHeaders(crossing, first)
        : roundsOf(crossing, sent, first),
    );
}

function roundsOf(
  { call, target, request }: Crossing,
  sent: Outgoing,
  first: RpcResponse,
): RpcResponse | Promise<RpcResponse> {
  if (!asksForMore(first)) return first;
  return throughRounds(first, {
    call,
    server: target.server.id,
    rawParams: sent.rawParams ?? '{}',
    send: (rawParams) => request({ ...sent, rawParams }),
  });
}

/** Headers for the arguments that the tool wants mirrored, for a caller who could not send them. */
export function ownParamHeaders({
  call,
  gate,
  target,
  outgoing,
}: Omit<Crossing, 'request'>): Record<string, string> | undefined {
  const mirrored = knownTool(call, gate, target)?.mirrored;
  if (!mirrored || mirrored.length === 0 || outgoing.rawParams === undefined) return undefined;
  const params: unknown = JSON.parse(outgoing.rawParams);
  return paramHeaders(mirrored, isObject(params) ? params['arguments'] : undefined);
}

/** The server misses headers: its tools may have changed, or were never listed. Tries once more if that is so. */
async function withFreshHeaders(crossing: Crossing, first: RpcResponse): Promise<RpcResponse> {
  const { call, gate, target, outgoing } = crossing;
  if (call.tool === null) return first;
  const before = JSON.stringify(ownParamHeaders(crossing));
  await gate.lists.reload(target, call.era, call.capabilities).catch((error: unknown) => {
    gate.log.debug({ server: target.server.id, err: error }, 'tools could not be listed anew');
  });
  const headers = ownParamHeaders(crossing);
  if (!headers || JSON.stringify(headers) === before) return first;
  const sent = { ...outgoing, headers: { ...outgoing.headers, ...headers } };
  const again = await crossing.request(sent);
  return again.error?.code === rpcCode.headerMismatch ? again : roundsOf(crossing, sent, again);
}
