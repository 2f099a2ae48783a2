import type { SnapshotServer } from '../../access/index.ts';
import { type Call, type Gate, principalOf, rightsOfCall } from '../call.ts';
import { invalidParams, noSuchTask, unknownMethod } from '../refusals.ts';
import type { RpcRequest } from '../rpc/message.ts';
import { editObject, membersOf } from '../rpc/raw.ts';
import { targetOf } from '../steps/attach-credentials.ts';
import { announcedExtensions, tasksExtension } from '../upstreams/extensions.ts';

const methods: readonly string[] = ['tasks/get', 'tasks/update', 'tasks/cancel'];

/** Requests about one task (SEP-2663). */
export function isAboutTask(method: string): boolean {
  return methods.includes(method);
}

/**
 * The server and the tool that a task belongs to; the server gets its own id. `at` is the server in the path. Throws
 * when the task is not the caller's.
 */
export function resolveTask(
  call: Call,
  gate: Gate,
  { request, at }: { request: RpcRequest; at: SnapshotServer | undefined },
): void {
  const { rawParams = '{}' } = request;
  const owner = { principal: principalOf(call).id, tenant: call.tenant?.id ?? null };
  const task = gate.tasks.open(taskIdIn(request), owner);
  const server = task && call.snapshot.servers.get(task.server);
  if (!task || !server || (at && at.id !== server.id)) throw at ? unknownAt(call, gate, at) : noSuchTask();
  if (!rightsOfCall(call).servers.includes(server.id)) throw noSuchTask();
  call.servers = [server];
  call.tool = task.tool;
  call.rawParams = editObject(rawParams, { taskId: JSON.stringify(task.own) });
}

/** Some parsers do not mind capitals: what is opened here has to be what the server reads. */
function taskIdIn({ params, rawParams = '{}' }: RpcRequest): unknown {
  const spelled = membersOf(rawParams).filter(({ key }) => key.toLowerCase() === 'taskid');
  if (spelled.length > 1) throw invalidParams('"params" may hold "taskId" only once, in whatever case.');
  return params?.['taskId'];
}

/** A server that has no tasks knows no methods about them either. */
function unknownAt(call: Call, gate: Gate, server: SnapshotServer): Error {
  const target = targetOf(call, gate, server);
  const hello = target && gate.lists.peek(target, call.era, call.capabilities).hello;
  if (!hello) return noSuchTask();
  const announced = announcedExtensions(server.definition.extensions, hello.capabilities['extensions']);
  return hello.era === 'modern' && tasksExtension in announced ? noSuchTask() : unknownMethod();
}
