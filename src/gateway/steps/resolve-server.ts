import type { SnapshotServer } from '../../access/index.ts';
import { type Call, type Gate, rightsOfCall } from '../call.ts';
import { offerFor } from '../connect/account-of.ts';
import { splitName, unshortened } from '../lists/names.ts';
import { itemNamed } from '../lists/view.ts';
import { ownTools } from '../meta/own-tools.ts';
import { throughMeta } from '../meta/through-meta.ts';
import { isMetaTool } from '../meta/tools.ts';
import { isAboutTask, resolveTask } from '../tasks/resolve-task.ts';
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
  const request = call.message?.kind === 'request' ? call.message : undefined;
  if (request?.method === 'tools/call' && isMetaTool(request.params?.['name'])) {
    const servers = call.path.server === null ? all(call) : [only(call, call.path.server)];
    return throughMeta(call, gate, { request, servers, resolve: (named) => resolve(call, gate, named) });
  }
  return resolve(call, gate, request);
}

function resolve(call: Call, gate: Gate, request: RpcRequest | undefined): Promise<void> | void {
  if (request && call.era === 'modern' && isAboutTask(request.method)) {
    const { server } = call.path;
    return resolveTask(call, gate, { request, at: server === null ? undefined : only(call, server) });
  }
  if (call.path.server !== null) return one(call, gate, call.path.server, request);
  const named = request && naming.get(request.method);
  if (request && named) return byName(call, gate, request, named);
  if (request?.method === 'completion/complete') return byReference(call, gate, request);
  call.servers = all(call);
  return undefined;
}

function all(call: Call): SnapshotServer[] {
  return rightsOfCall(call).servers.flatMap((id) => call.snapshot.servers.get(id) ?? []);
}

function only(call: Call, id: string): SnapshotServer {
  const server = visible(call, id);
  if (!server) throw noSuchServer(id);
  return server;
}

function one(call: Call, gate: Gate, id: string, request: RpcRequest | undefined): Promise<void> | void {
  const server = only(call, id);
  call.servers = [server];
  if (request?.method !== 'tools/call') return undefined;
  const shown = nameIn(request);
  call.tool = shown;
  const renamed = ownName(call, gate, server, { name: shown, shown });
  return renamed?.then((own) => {
    if (own !== shown) rename(call, request, 'tools', own);
  });
}

/**
 * The server's own name of a tool that goes by another one here; undefined: nothing is called so. The own name goes on
 * working beside the new one, because clients keep lists for long, and it never means another tool. `shown` is the
 * name in the caller's list.
 */
function ownName(
  call: Call,
  gate: Gate,
  server: SnapshotServer,
  { name, shown }: { name: string; shown: string },
): Promise<string> | undefined {
  const tool = rightsOfCall(call).texts.get(server.id)?.toolOf.get(name);
  if (tool === undefined || tool === name) return undefined;
  // Whether the name could be used depends on the other tools.
  return ownTools(call, gate, [server]).then(({ view }) => itemNamed(view, shown)?.key ?? name);
}

function byName(call: Call, gate: Gate, request: RpcRequest, { kind, refuse }: Naming): Promise<void> | void {
  const merged = nameIn(request);
  const split = splitName(merged);
  const server = split && visible(call, split.server);
  if (!split || !server) throw refuse(merged);
  call.servers = [server];
  if (!split.isHashed) {
    const renamed =
      kind === 'tools' ? ownName(call, gate, server, { name: split.rest, shown: merged }) : undefined;
    if (renamed) return renamed.then((own) => rename(call, request, kind, own));
    return rename(call, request, kind, split.rest);
  }
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
  // Once the account is there the call is resolved anew; until then nothing is sent under whatever name.
  if (!target) return offerFor(call, gate, server) ? merged : undefined;
  const known = gate.lists.peek(target, call.era, call.capabilities, kind);
  await gate.lists.settle([known], gate.settings.listDeadlineMs, kind);
  return unshortened(server.id, known.lists.get(kind) ?? [], merged);
}

/** `completion/complete` names a prompt or a resource template inside `ref` (server/utilities/completion.mdx). */
function byReference(call: Call, gate: Gate, request: RpcRequest): Promise<void> | void {
  const ref = request.params?.['ref'];
  if (!isObject(ref)) throw invalidParams('"params.ref" must be an object.');
  if (ref['type'] !== 'ref/prompt') {
    // Templates keep their URIs, so the server is found by them, when its lists are at hand.
    call.servers = all(call);
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
