import type { SnapshotServer } from '../../access/index.ts';
import type { Call, Gate } from '../call.ts';
import { itemNamed } from '../lists/view.ts';
import { Refusal } from '../refusal.ts';
import { noSuchTool } from '../refusals.ts';
import type { RpcRequest } from '../rpc/message.ts';
import { closestNames } from './closest.ts';
import { ownTools } from './own-tools.ts';
import { isLocal } from './tools.ts';
import { unwrapCall } from './unwrap-call.ts';
import { verdictOn } from './verdict.ts';

interface Named {
  readonly request: RpcRequest;
  /** The caller's servers, or the one of the URL. */
  readonly servers: readonly SnapshotServer[];
  /** Finds server and tool of an ordinary call. */
  readonly resolve: (request: RpcRequest) => Promise<void> | void;
}

/**
 * A call under the name of one of the gate's own tools. Two of them are answered here; `call_tool` becomes the call
 * that it stands for, before anything is decided, so that rights, keys, limits and records are those of the real tool.
 * A server's own tool of such a name is called where the gate's are not shown, and else through `call_tool`.
 */
export async function throughMeta(call: Call, gate: Gate, named: Named): Promise<void> {
  if (!(await isMeta(call, gate, named.servers))) return named.resolve(named.request);
  const name = String(named.request.params?.['name']);
  call.mode = 'meta';
  if (!isLocal(name)) return realCall(call, gate, named);
  call.metaTool = name;
  call.tool = name;
  call.servers = named.servers;
  return undefined;
}

async function isMeta(call: Call, gate: Gate, servers: readonly SnapshotServer[]): Promise<boolean> {
  const verdict = verdictOn(call, gate);
  if (typeof verdict === 'string') return verdict === 'meta';
  const { view } = await ownTools(call, gate, servers);
  return view.items.length > verdict.above;
}

async function realCall(call: Call, gate: Gate, { request, servers, resolve }: Named): Promise<void> {
  call.message = unwrapCall(request);
  const name = String(call.message.params?.['name']);
  try {
    await resolve(call.message);
    if (await isListed(call, gate, name)) return;
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'tool_not_found') throw error;
  }
  throw noSuchTool(name, await closestNames(gate.toolIndexes, await ownTools(call, gate, servers), name));
}

/** A name that the model made up is not worth a request; when the list is not known, the server may say so itself. */
async function isListed(call: Call, gate: Gate, name: string): Promise<boolean> {
  const { view, known } = await ownTools(call, gate, call.servers);
  if (itemNamed(view, name) !== undefined) return true;
  if (!known.some((one) => one.hello !== undefined)) return true;
  return view.items.some((item) => item.key === call.tool);
}
