import { type Call, type Gate, principalOf, requestOf } from '../call.ts';
import { noSuchTask, upstreamFailed } from '../refusals.ts';
import type { RpcResponse } from '../rpc/message.ts';
import { editObject } from '../rpc/raw.ts';
import type { Target } from '../upstreams/target.ts';
import { answerFrom } from './one-server.ts';

type Operation = (call: Call, gate: Gate) => Promise<void> | void;

/** `tasks/get`, `tasks/update` and `tasks/cancel` of the extension: to the server that has the task. */
export async function serveTask(call: Call, gate: Gate): Promise<void> {
  const [target] = call.targets;
  const sealed = requestOf(call).params?.['taskId'];
  if (!target || !gate.tasks.belongsTo(sealed, target)) throw noSuchTask();
  const { hello } = await gate.pool
    .connect(target, call.era, call.capabilities, call.controller.signal)
    .catch((error: unknown) => {
      throw upstreamFailed(target.server.id, error);
    });
  // A legacy server that took its place has no such tasks, whatever it makes of the method.
  if (hello.era === 'legacy') throw noSuchTask();
  await answerFrom(call, gate, target);
  const { response } = call;
  if (response?.kind === 'response' && typeof response.result?.['taskId'] === 'string')
    call.response = withTaskId(response, String(sealed));
}

/** `tools/call`, whose result may be a task: its id leaves the gate sealed. */
export function sealingTasks(operation: Operation): Operation {
  return (call, gate) => {
    const pending = operation(call, gate);
    return pending ? pending.then(() => sealTask(call, gate)) : sealTask(call, gate);
  };
}

function sealTask(call: Call, gate: Gate): void {
  const { response, tool } = call;
  const [target] = call.targets;
  const own = response?.kind === 'response' ? response.result?.['taskId'] : undefined;
  if (response?.kind !== 'response' || response.result?.['resultType'] !== 'task') return;
  if (typeof own !== 'string' || tool === null || !target) throw notATask(target);
  const owner = { principal: principalOf(call).id, tenant: call.tenant?.id ?? null };
  call.response = withTaskId(response, gate.tasks.seal({ tool, own }, owner, target));
}

function withTaskId(response: RpcResponse, id: string): RpcResponse {
  const rawResult = editObject(response.rawResult ?? '{}', { taskId: JSON.stringify(id) });
  return { ...response, rawResult };
}

function notATask(target: Target | undefined): Error {
  return upstreamFailed(target?.server.id ?? '', new Error('a result of type "task" names no task'));
}
