import { tracing } from '../bridge/trace.ts';
import type { Call, Gate } from '../call.ts';
import { UpstreamError } from '../connectors/contract.ts';
import type { RpcResponse } from '../rpc/message.ts';
import type { Outgoing } from '../upstreams/outgoing.ts';
import type { Connection } from '../upstreams/pool.ts';
import type { Target } from '../upstreams/target.ts';
import { upstreamSpan } from './call-span.ts';

/** Sends the requests of a call over a connection: each under the call's request id, as a part of its trace, and counted. */
export function sender(
  call: Call,
  gate: Gate,
  target: Target,
  connection: Connection,
): (outgoing: Outgoing) => Promise<RpcResponse> {
  const { metrics } = gate.observed;
  const server = target.server.id;
  return (outgoing) => {
    const span = upstreamSpan(call, gate, target, connection);
    const trace = tracing(call, target, span);
    const begun = gate.clock();
    const answer = connection.upstream.request({
      ...outgoing,
      rawParams: trace ? trace.paramsWith(outgoing.rawParams) : outgoing.rawParams,
      headers: { ...outgoing.headers, ...trace?.headers, 'x-request-id': call.requestId },
    });
    if (!span && !metrics) return answer;
    const ended = (failure: string | undefined, facts = {}) => {
      const at = gate.clock();
      metrics?.sent(server, failure ?? 'ok', Math.max(0, at - begun) / 1_000);
      span?.end({ at, attributes: () => facts, ...(failure !== undefined && { error: failure }) });
    };
    return answer.then(
      (response) => {
        const code = response.error?.code;
        ended(failureIn(response), code === undefined ? {} : { 'rpc.response.status_code': String(code) });
        return response;
      },
      (error: unknown) => {
        ended(error instanceof UpstreamError ? error.kind : 'cancelled');
        throw error;
      },
    );
  };
}

/** One of a few words: a server may answer with any code. */
function failureIn({ error, result }: RpcResponse): string | undefined {
  if (error) return 'rpc_error';
  return result?.['isError'] === true ? 'tool_error' : undefined;
}
