import { can } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { noSuchPrompt, noSuchResource, noSuchTool, unknownMethod } from '../refusals.ts';
import { isObject } from '../rpc/message.ts';

/** What a request needs: `open` ones show only what can() lets through, so nobody is refused here. */
type Need = 'tool' | 'prompt' | 'resource' | 'reference' | 'open';

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
  ['prompts/get', 'prompt'],
  ['resources/read', 'resource'],
  ['resources/subscribe', 'resource'],
  ['resources/unsubscribe', 'resource'],
  ['completion/complete', 'reference'],
]);

/** May this caller do this? Methods that the gate does not know need the whole server, and one server only. */
export function authorize(call: Call, gate: Gate): void {
  if (call.message?.kind !== 'request') return;
  const { method, params } = call.message;
  const need = needs.get(method);
  if (need === 'open') return;
  if (need === 'tool') return requireTool(call, gate, String(params?.['name']));
  if (need === undefined && call.path.server === null) throw unknownMethod();
  const now = gate.clock();
  call.servers = call.servers.filter(
    (server) => can(call.snapshot, principalOf(call), { server: server.id, whole: true }, now).allow,
  );
  if (call.servers.length === 0) throw refusalFor(need, params);
}

function requireTool(call: Call, gate: Gate, shown: string): void {
  const [server] = call.servers;
  const tool = call.tool;
  if (!server || tool === null) throw noSuchTool(shown);
  if (!can(call.snapshot, principalOf(call), { server: server.id, tool }, gate.clock()).allow)
    throw noSuchTool(shown);
}

function refusalFor(need: Need | undefined, params: Readonly<Record<string, unknown>> | undefined): Error {
  if (need === 'prompt') return noSuchPrompt(String(params?.['name']));
  if (need === 'resource') return noSuchResource(String(params?.['uri']));
  if (need === undefined) return unknownMethod();
  const ref = params?.['ref'];
  const named = isObject(ref) ? (ref['name'] ?? ref['uri']) : undefined;
  return noSuchPrompt(String(named));
}
