import { type Call, type Gate, requestOf } from '../call.ts';
import type { Known } from '../lists/list-store.ts';
import { invalidParams, noSuchResource } from '../refusals.ts';
import { isObject } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import type { Target } from '../upstreams/target.ts';
import { knownServers } from './lists.ts';
import { answerFrom, ask, forCaller } from './one-server.ts';

/** Servers that may be asked in turn for a URI that nobody lists. */
const mostAsked = 10;

/**
 * `resources/read`, `subscribe` and `unsubscribe`. URIs stay as their servers wrote them, so on the merged
 * endpoint the server is found by its lists; a URI that none lists (a link in a result) is asked for in turn.
 */
export async function serveResource(call: Call, gate: Gate): Promise<void> {
  const uri = requestOf(call).params?.['uri'];
  if (typeof uri !== 'string') throw invalidParams('"params.uri" must be a string.');
  // Somebody else still wants to hear of it through the same connection.
  if (requestOf(call).method === 'resources/unsubscribe' && gate.hub.isWanted(uri, call.session)) {
    call.response = { kind: 'local', rawResult: '{}' };
    return;
  }
  const known = call.path.server === null ? await knownServers(call, gate) : [];
  const owner = call.path.server === null ? ownerOf(uri, known) : call.targets[0];
  if (owner) return answerFrom(call, gate, owner);
  return askInTurn(call, gate, uri, known);
}

/** `completion/complete`: to the one server, or to the one that has the template. */
export async function serveCompletion(call: Call, gate: Gate): Promise<void> {
  const [only, second] = call.targets;
  if (only && !second) return answerFrom(call, gate, only);
  const ref = requestOf(call).params?.['ref'];
  const uri = isObject(ref) ? String(ref['uri']) : '';
  const owner = ownerOf(uri, await knownServers(call, gate));
  if (!owner) throw noSuchResource(uri);
  return answerFrom(call, gate, owner);
}

function ownerOf(uri: string, known: readonly Known[]): Target | undefined {
  const exact = known.find((one) => one.lists.get('resources')?.some((item) => item.key === uri));
  const byTemplate = known.find((one) =>
    one.lists.get('templates')?.some((item) => item.key === uri || matches(item.key, uri)),
  );
  return (exact ?? byTemplate)?.target;
}

/** Does the URI fit the template (RFC 6570)? Every expression stands for any text; literals must match in order. */
function matches(template: string, uri: string): boolean {
  const literals = template.split(/\{[^{}]*\}/);
  const [first = '', ...rest] = literals;
  if (!uri.startsWith(first)) return false;
  const last = rest.pop();
  if (last === undefined) return uri === first;
  let at = first.length;
  for (const literal of rest) {
    const found = uri.indexOf(literal, at);
    if (found < 0) return false;
    at = found + literal.length;
  }
  return uri.length - last.length >= at && uri.endsWith(last);
}

async function askInTurn(call: Call, gate: Gate, uri: string, known: readonly Known[]): Promise<void> {
  const able = known
    .filter((one) => one.hello !== undefined && 'resources' in one.hello.capabilities)
    .slice(0, mostAsked);
  for (const { target } of able) {
    const { response, connection } = await ask(call, gate, target);
    const code = response.error?.code;
    if (code === rpcCode.resourceNotFound || code === rpcCode.invalidParams) continue;
    call.response = forCaller(call, response, connection);
    return;
  }
  throw noSuchResource(uri);
}
