import { can, type SnapshotServer } from '../../access/index.ts';
import { hasControlCharacters } from '../../catalog/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { isConnectCall } from '../connect/connect-tool.ts';
import { Refusal } from '../refusal.ts';
import {
  noSuchPrompt,
  noSuchResource,
  noSuchTask,
  noSuchTool,
  resultPageGone,
  unknownMethod,
  upstreamFailed,
} from '../refusals.ts';
import { listedTool, pinModeOf } from '../pins.ts';
import { isObject } from '../rpc/message.ts';
import { isPageUri } from '../shaping/result-pages.ts';
import { targetOf } from './attach-credentials.ts';

/** What a request needs: `open` ones show only what can() lets through, so nobody is refused here. */
type Need = 'tool' | 'task' | 'prompt' | 'resource' | 'reference' | 'open';

const needs = new Map<string, Need>([
  ['initialize', 'open'],
  ['ping', 'open'],
  ['server/discover', 'open'],
  ['tools/list', 'open'],
  ['prompts/list', 'open'],
  ['resources/list', 'open'],
  ['resources/templates/list', 'open'],
  ['logging/setLevel', 'open'],
  ['subscriptions/listen', 'open'],
  ['tools/call', 'tool'],
  ['tasks/get', 'task'],
  ['tasks/update', 'task'],
  ['tasks/cancel', 'task'],
  ['prompts/get', 'prompt'],
  ['resources/read', 'resource'],
  ['resources/subscribe', 'resource'],
  ['resources/unsubscribe', 'resource'],
  ['completion/complete', 'reference'],
]);

/** May this caller do this? Methods that the gate does not know need the whole server, and one server only. */
export function authorize(call: Call, gate: Gate): Promise<void> | void {
  // The gate's own tools show, find and describe only what can() lets through.
  if (call.message?.kind !== 'request' || call.metaTool !== null) return;
  const { method, params } = call.message;
  const need = needs.get(method);
  if (need === 'open') return;
  if (need === 'tool') return requireToolOrConnect(call, gate, String(params?.['name']));
  // The step before has put the task's tool there; in the legacy era there are none.
  if (need === 'task') return requireTask(call, gate);
  if (need === 'resource' && isPageUri(params?.['uri'])) return requirePage(call, gate, params['uri']);
  if (need === undefined && call.path.server === null) throw unknownMethod();
  const now = gate.clock();
  call.servers = call.servers.filter(
    (server) => can(call.snapshot, principalOf(call), { server: server.id, whole: true }, now).allow,
  );
  if (call.servers.length === 0) throw refusalFor(need, params);
  return undefined;
}

/** Connecting one's own account takes no grant but that of the server, without which there is nothing to connect. */
function requireToolOrConnect(call: Call, gate: Gate, shown: string): Promise<void> | void {
  const decide = (isConnect: boolean) => {
    call.connects = isConnect;
    return isConnect ? undefined : requireTool(call, gate, shown);
  };
  const isConnect = isConnectCall(call, gate);
  return isConnect instanceof Promise ? isConnect.then(decide) : decide(isConnect);
}

function requireTool(call: Call, gate: Gate, shown: string): Promise<void> | void {
  const [server] = call.servers;
  const tool = call.tool;
  if (!server || tool === null) throw noSuchTool(shown);
  if (!can(call.snapshot, principalOf(call), { server: server.id, tool }, gate.clock()).allow)
    throw noSuchTool(shown);
  if (hasControlCharacters(tool)) throw noSuchTool(shown);
  return pinModeOf(server) === 'enforce' ? requireAccepted(call, gate, { server, tool, shown }) : undefined;
}

/** Whoever may not call the tool any more has lost its tasks too. */
async function requireTask(call: Call, gate: Gate): Promise<void> {
  if (call.era === 'legacy') throw unknownMethod();
  await orElse(noSuchTask, () => requireTool(call, gate, call.tool ?? ''));
}

/** Whoever may not call the tool is told of something else that is not there. */
async function orElse(refuse: () => Error, require: () => Promise<void> | void): Promise<void> {
  try {
    await require();
  } catch (error) {
    throw error instanceof Refusal && error.code === 'tool_not_found' ? refuse() : error;
  }
}

/** Of a tool that is on no list nobody knows what it does, so where pins are enforced it is not called. */
async function requireAccepted(
  call: Call,
  gate: Gate,
  { server, tool, shown }: { server: SnapshotServer; tool: string; shown: string },
): Promise<void> {
  const target = targetOf(call, gate, server);
  // Without its credential nothing is sent, and the next step says so.
  if (!target) return;
  const known = gate.lists.peek(target, call.era, call.capabilities);
  await gate.lists.settle([known], gate.settings.listDeadlineMs);
  // The process that is to be called may be another than the one that was seen.
  await gate.lists.own(known);
  if (known.lent && known.failure) throw upstreamFailed(server.id, known.failure);
  const listed = listedTool(known, tool);
  if (listed && !gate.pins.isHeld(target, tool, listed.raw)) return;
  if (!listed && known.failure) throw upstreamFailed(server.id, known.failure);
  throw noSuchTool(shown);
}

/** A page of a result is read by who may call the tool; whether it was his call is seen where the page is kept. */
async function requirePage(call: Call, gate: Gate, uri: string): Promise<void> {
  const ref = gate.resultPages.open(uri);
  const server = ref && call.servers.find(({ id }) => id === ref.server);
  if (!ref || !server || call.message?.kind !== 'request' || call.message.method !== 'resources/read')
    throw resultPageGone(uri);
  call.servers = [server];
  call.tool = ref.tool;
  await orElse(
    () => resultPageGone(uri),
    () => requireTool(call, gate, ref.tool),
  );
}

function refusalFor(need: Need | undefined, params: Readonly<Record<string, unknown>> | undefined): Error {
  if (need === 'prompt') return noSuchPrompt(String(params?.['name']));
  if (need === 'resource') return noSuchResource(String(params?.['uri']));
  if (need === undefined) return unknownMethod();
  const ref = params?.['ref'];
  const named = isObject(ref) ? (ref['name'] ?? ref['uri']) : undefined;
  return noSuchPrompt(String(named));
}
