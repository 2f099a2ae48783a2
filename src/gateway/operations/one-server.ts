import { crossToLegacy, crossToModern, ownParamHeaders } from '../bridge/crossing.ts';
import { translateHopError } from '../bridge/hop-errors.ts';
import { knownTool } from '../bridge/known-tool.ts';
import { structuredForLegacy } from '../bridge/output-schema.ts';
import { type Resumed, resume, stateIn, unknownState } from '../bridge/retry.ts';
import { type Call, type Gate, principalOf, requestOf } from '../call.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { errorForCaller, paramsForServer, resultForCaller } from '../era.ts';
import { sender } from '../observe/sender.ts';
import { Refusal } from '../refusal.ts';
import { noSuchResource, upstreamFailed } from '../refusals.ts';
import { type Era, nameParam, rpcCode } from '../rpc/protocol.ts';
import type { RpcResponse } from '../rpc/message.ts';
import { editObject } from '../rpc/raw.ts';
import { WireError } from '../rpc/wire-error.ts';
import type { Outgoing } from '../upstreams/outgoing.ts';
import type { Connection } from '../upstreams/pool.ts';
import { permitted } from '../upstreams/extensions.ts';
import type { Target } from '../upstreams/target.ts';
import { hears, levelFor, withLogLevel } from './logging.ts';

/** What a server answered, and in which era. */
export interface Answer {
  readonly response: RpcResponse;
  readonly south: Era;
}

/** Sends the call to the one server it is about. */
export function toOneServer(call: Call, gate: Gate): Promise<void> {
  const [target] = call.targets;
  if (!target) throw noSuchResource(String(requestOf(call).params?.['uri']));
  return answerFrom(call, gate, target);
}

/** The server's answer becomes the call's. */
export async function answerFrom(call: Call, gate: Gate, target: Target): Promise<void> {
  call.response = forCaller(call, gate, target, await ask(call, gate, target));
}

/** The server's answer as it came, or `input_required` where the server has a question for a modern caller. */
export async function ask(call: Call, gate: Gate, target: Target): Promise<Answer> {
  call.client.hold?.(target);
  try {
    const state = stateIn(call);
    const resumed = state === undefined ? undefined : await resume(call, gate, target, state);
    if (resumed?.kind === 'answer') return { response: resumed.response, south: 'legacy' };
    const asked = {
      ...{ prefer: call.era, capabilities: call.capabilities, signal: call.controller.signal },
      holder: principalOf(call).id,
    };
    const { response, connection } = await gate.pool.use(target, asked, (found) => {
      // A modern server's own state is for it alone; a legacy one has none, so this one was made up.
      if (state !== undefined && !resumed && found.upstream.options.era === 'legacy') throw unknownState();
      return withLogLevel(call, found, () => send(call, gate, target, { connection: found, resumed }));
    });
    return { response, south: connection.upstream.options.era };
  } catch (error) {
    // A caller who is gone is nobody to report a server's failure to.
    if (call.controller.signal.aborted && !(error instanceof UpstreamError)) throw error;
    if (error instanceof WireError) throw error;
    throw upstreamFailed(target.server.id, error);
  }
}

function send(
  call: Call,
  gate: Gate,
  target: Target,
  { connection, resumed }: { connection: Connection; resumed: Resumed | undefined },
): Promise<RpcResponse> {
  const south = connection.upstream.options.era;
  const outgoing = outgoingTo(call, target, south);
  const request = sender(call, gate, target, connection);
  if (call.era === south) return request(sameEra(call, gate, target, { outgoing, resumed }));
  const crossing = { call, gate, target, outgoing, request };
  if (south === 'modern') return crossToModern(crossing);
  return crossToLegacy(crossing, resumed?.kind === 'replay' ? resumed.given : undefined);
}

/** What the gate has to change even where both sides speak the same. */
function sameEra(
  call: Call,
  gate: Gate,
  target: Target,
  { outgoing, resumed }: { outgoing: Outgoing; resumed: Resumed | undefined },
): Outgoing {
  if (call.era === 'legacy') return outgoing;
  // The server was legacy when it asked: neither the state nor the answers are anything to it.
  if (resumed && outgoing.rawParams !== undefined)
    return { ...outgoing, rawParams: editObject(outgoing.rawParams, gateState) };
  if (call.mode !== 'meta') return outgoing;
  const headers = ownParamHeaders({ call, gate, target, outgoing });
  return headers ? { ...outgoing, headers: { ...outgoing.headers, ...headers } } : outgoing;
}

const gateState = { requestState: null, inputResponses: null } as const;

/** The caller's request in the server's era. */
function outgoingTo(call: Call, target: Target, south: Era): Outgoing {
  const request = requestOf(call);
  const { method } = request;
  const { era } = call;
  const client = { capabilities: call.capabilities, logLevel: levelFor(call) };
  const crossed = paramsForServer(call.rawParams ?? request.rawParams, era, south, client);
  const rawParams = permitted(crossed, { method, era, south, definition: target.server.definition });
  return {
    method,
    rawParams,
    name: south === 'modern' ? mirroredName(call, method, rawParams) : undefined,
    headers: era === 'modern' && south === 'modern' ? call.paramHeaders : undefined,
    controller: call.controller,
    timeoutMs: target.server.definition.timeoutMs,
    onNotification: (message) => {
      if (hears(call, message)) call.client.notify(message);
    },
    ...(call.client.ask && era === 'legacy' && { onServerRequest: call.client.ask }),
    // A modern client does not come back for a stream, and an error may still need a status of its own.
    ...(era === 'legacy' && { onPrimed: call.client.onPrimed, onPaused: call.client.onPaused }),
  };
}

/** Only the modern era mirrors the name, and only for methods that have one. */
function mirroredName(call: Call, method: string, rawParams: string | undefined): string | undefined {
  return method === 'tools/call' && call.tool !== null ? call.tool : nameFrom(method, rawParams);
}

function nameFrom(method: string, rawParams: string | undefined): string | undefined {
  const member = nameParam.get(method);
  if (member === undefined || rawParams === undefined) return undefined;
  const params: unknown = JSON.parse(rawParams);
  const value = (params as Record<string, unknown>)[member];
  return typeof value === 'string' ? value : undefined;
}

/** The answer in the caller's era, its outcome noted for the record. */
export function forCaller(call: Call, gate: Gate, target: Target, answer: Answer): RpcResponse {
  const { response, south } = answer;
  const { method } = requestOf(call);
  if (response.rawResult === undefined) return errorFor(call, gate, target, answer);
  const rawResult = resultForCaller(response.rawResult, method, call.era, south);
  if (rawResult === undefined) throw needsModernClient(target.server.id);
  if (response.result?.['isError'] === true) call.outcome = 'tool_error';
  if (response.result?.['resultType'] === 'input_required') call.reason = 'input_required';
  const shown =
    call.era === 'legacy' && south === 'modern' && rawResult.includes('structuredContent')
      ? structuredForLegacy(rawResult, knownTool(call, gate, target)?.isWrapped === true)
      : rawResult;
  return shown === response.rawResult ? response : { ...response, rawResult: shown };
}

function errorFor(call: Call, gate: Gate, target: Target, answer: Answer): RpcResponse {
  const question = translateHopError(call, gate, target, answer);
  if (question) {
    call.reason = 'input_required';
    return question;
  }
  const { response, south } = answer;
  call.outcome = 'upstream_error';
  call.reason = `rpc_${response.error?.code ?? rpcCode.internal}`;
  return { ...response, rawError: errorForCaller(response, requestOf(call).method, call.era, south) };
}

function needsModernClient(server: string): Refusal {
  return new Refusal(
    'input_required',
    `The server "${server}" asks for more input in a way that this client cannot give.`,
    {
      outcome: 'upstream_error',
      status: 200,
      rpcCode: rpcCode.internal,
    },
  );
}
