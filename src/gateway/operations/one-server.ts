import { type Call, type Gate, requestOf } from '../call.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { errorForCaller, paramsForServer, resultForCaller } from '../era.ts';
import { Refusal } from '../refusal.ts';
import { noSuchResource, upstreamFailed } from '../refusals.ts';
import { nameParam, rpcCode } from '../rpc/protocol.ts';
import type { RpcResponse } from '../rpc/message.ts';
import type { Target } from '../upstreams/target.ts';
import type { Connection } from '../upstreams/pool.ts';

/** Sends the call to the one server it is about. */
export async function toOneServer(call: Call, gate: Gate): Promise<void> {
  const [target] = call.targets;
  if (!target) throw noSuchResource(String(requestOf(call).params?.['uri']));
  await answerFrom(call, gate, target);
}

/** The server's answer becomes the call's. */
export async function answerFrom(call: Call, gate: Gate, target: Target): Promise<void> {
  const { response, connection } = await ask(call, gate, target);
  call.response = forCaller(call, response, connection);
}

export async function ask(
  call: Call,
  gate: Gate,
  target: Target,
): Promise<{ response: RpcResponse; connection: Connection }> {
  try {
    const connection = await gate.pool.connect(target, call.era, call.capabilities);
    return { response: await send(call, connection, target), connection };
  } catch (error) {
    // A caller who is gone is nobody to report a server's failure to.
    if (call.controller.signal.aborted && !(error instanceof UpstreamError)) throw error;
    throw upstreamFailed(target.server.id, error);
  }
}

function send(call: Call, connection: Connection, target: Target): Promise<RpcResponse> {
  const request = requestOf(call);
  const { method } = request;
  const { era, capabilities } = connection.upstream.options;
  const rawParams = paramsForServer(
    call.rawParams ?? request.rawParams,
    call.era,
    era,
    call.era === era ? capabilities : '{}',
  );
  const client = call.client;
  return connection.upstream.request({
    method,
    rawParams,
    name: call.tool ?? nameFrom(method, rawParams),
    headers: call.era === 'modern' ? call.paramHeaders : undefined,
    controller: call.controller,
    timeoutMs: target.server.definition.timeoutMs,
    onNotification: (message) => client.notify(message),
    ...(client.ask && call.era === 'legacy' && { onServerRequest: client.ask }),
    onPrimed: client.onPrimed,
    onPaused: client.onPaused,
  });
}

/** Only the modern era mirrors the name, and only for methods that have one. */
function nameFrom(method: string, rawParams: string | undefined): string | undefined {
  const member = nameParam.get(method);
  if (member === undefined || rawParams === undefined) return undefined;
  const params: unknown = JSON.parse(rawParams);
  const value = (params as Record<string, unknown>)[member];
  return typeof value === 'string' ? value : undefined;
}

/** The answer in the caller's era, its outcome noted for the record. */
export function forCaller(call: Call, response: RpcResponse, connection: Connection): RpcResponse {
  const { method } = requestOf(call);
  const south = connection.upstream.options.era;
  if (response.rawResult === undefined) {
    call.outcome = 'upstream_error';
    call.reason = `rpc_${response.error?.code ?? rpcCode.internal}`;
    return { ...response, rawError: errorForCaller(response, method, call.era) };
  }
  const rawResult = resultForCaller(response.rawResult, method, call.era, south);
  if (rawResult === undefined) throw needsModernClient(connection.upstream.options.name);
  if (response.result?.['isError'] === true) call.outcome = 'tool_error';
  return rawResult === response.rawResult ? response : { ...response, rawResult };
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
