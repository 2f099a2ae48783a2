import type { SnapshotServer } from '../../access/index.ts';
import { type Call, type Gate, rightsOfCall } from '../call.ts';
import { mergedName, splitName } from '../lists/names.ts';
import { targetOf } from './attach-credentials.ts';
import { invalidParams, noSuchPrompt, noSuchServer, noSuchTool } from '../refusals.ts';
import { isObject, type RpcRequest } from '../rpc/message.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import type { ListKind } from '../lists/kinds.ts';

interface Naming {
  readonly kind: ListKind;
  readonly refuse: (name: string) => Error;
}

/** How a request names what it wants, for the methods whose names carry a server on the merged endpoint. */
const naming = new Map<string, Naming>([
  ['tools/call', { kind: 'tools', refuse: noSuchTool }],
  ['prompts/get', { kind: 'prompts', refuse: noSuchPrompt }],
]);

/** Which servers this call is about: the one in its path, the one its name begins with, or all of the caller's. */
export function resolveServer(call: Call, gate: Gate): Promise<void> | void {
  const { server } = call.path;
  if (server !== null) return one(call, server);
  const request = call.message?.kind === 'request' ? call.message : undefined;
  const named = request && naming.get(request.method);
  if (request && named) return byName(call, gate, request, named);
  if (request?.method === 'completion/complete') return byReference(call, gate, request);
  call.servers = rightsOfCall(call).servers.flatMap((id) => call.snapshot.servers.get(id) ?? []);
  return undefined;
}

function one(call: Call, id: string): void {
  const server = visible(call, id);
  if (!server) throw noSuchServer(id);
  call.servers = [server];
  const request = call.message?.kind === 'request' ? call.message : undefined;
  if (request?.method === 'tools/call') call.tool = nameIn(request);
}

function byName(call: Call, gate: Gate, request: RpcRequest, { kind, refuse }: Naming): Promise<void> | void {
  const merged = nameIn(request);
  const split = splitName(merged);
  const server = split && visible(call, split.server);
  if (!split || !server) throw refuse(merged);
  call.servers = [server];
  if (!split.isHashed) return rename(call, request, kind, split.rest);
  return unhashed(call, gate, server, { kind, merged }).then((name) => {
    if (name === undefined) throw refuse(merged);
    rename(call, request, kind, name);
  });
}

function rename(call: Call, request: RpcRequest, kind: ListKind, name: string): void {
  call.rawParams = editObject(request.rawParams ?? '{}', { name: JSON.stringify(name) });
  if (kind === 'tools') call.tool = name;
}

/** A shortened name says which server it is of, and only that server's list says which name it was. */
async function unhashed(
  call: Call,
  gate: Gate,
  server: SnapshotServer,
  { kind, merged }: { kind: ListKind; merged: string },
): Promise<string | undefined> {
  const target = targetOf(call, gate, server);
  if (!target) return undefined;
  const known = gate.lists.peek(target, call.era, call.capabilities);
  await gate.lists.settle([known], gate.settings.listDeadlineMs);
  return known.lists.get(kind)?.find((item) => mergedName(server.id, item.key) === merged)?.key;
}

/** `completion/complete` names a prompt or a resource template inside `ref` (server/utilities/completion.mdx). */
function byReference(call: Call, gate: Gate, request: RpcRequest): Promise<void> | void {
  const ref = request.params?.['ref'];
  if (!isObject(ref)) throw invalidParams('"params.ref" must be an object.');
  if (ref['type'] !== 'ref/prompt') {
    // Templates keep their URIs, so the server is found by them, when its lists are at hand.
    call.servers = rightsOfCall(call).servers.flatMap((id) => call.snapshot.servers.get(id) ?? []);
    return undefined;
  }
  const merged = String(ref['name']);
  const split = splitName(merged);
  const server = split && visible(call, split.server);
  if (!split || !server) throw noSuchPrompt(merged);
  call.servers = [server];
  const name = split.isHashed
    ? unhashed(call, gate, server, { kind: 'prompts', merged })
    : Promise.resolve(split.rest);
  return name.then((found) => {
    if (found === undefined) throw noSuchPrompt(merged);
    call.rawParams = withReference(request, found);
  });
}

function withReference(request: RpcRequest, name: string): string {
  const rawParams = request.rawParams ?? '{}';
  const span = findMember(membersOf(rawParams), 'ref');
  const ref = span ? rawParams.slice(span.start, span.end) : '{}';
  return editObject(rawParams, { ref: editObject(ref, { name: JSON.stringify(name) }) });
}

function visible(call: Call, id: string): SnapshotServer | undefined {
  const server = call.snapshot.servers.get(id);
  return server && rightsOfCall(call).servers.includes(server.id) ? server : undefined;
}

/**
 * The one name in the params. Parsers differ in which of two they take, and some do not mind capitals: what is
 * authorized here has to be what the server reads.
 */
function nameIn({ params, rawParams = '{}' }: RpcRequest): string {
  const name = params?.['name'];
  if (typeof name !== 'string') throw invalidParams('"params.name" must be a string.');
  const spelled = membersOf(rawParams).filter(({ key }) => key.toLowerCase() === 'name');
  if (spelled.length > 1) throw invalidParams('"params" may hold "name" only once, in whatever case.');
  return name;
}
