import { serverOfState } from '../bridge/retry.ts';
import { type Call, type Gate, requestOf } from '../call.ts';
import type { Known } from '../lists/known.ts';
import { findOwner } from '../lists/owner.ts';
import { invalidParams, noSuchResource, sessionNeeded } from '../refusals.ts';
import { isObject } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import { isPageUri } from '../shaping/result-pages.ts';
import { servePage } from '../shaping/serve-page.ts';
import { askerOf } from '../subscriptions/follow-resource.ts';
import { knownServers } from './lists.ts';
import { answerFrom, ask, forCaller } from './one-server.ts';

/** Servers that may be asked in turn for a URI that nobody lists. */
const mostAsked = 10;

/**
 * `resources/read`. URIs stay as their servers wrote them, so on the merged endpoint the server is found by its
 * lists; a URI that none lists (a link in a result) is asked for in turn.
 */
export async function serveResource(call: Call, gate: Gate): Promise<void> {
  const uri = uriOf(call);
  if (isPageUri(uri)) return servePage(call, gate, uri);
  const known = call.path.server === null ? await knownServers(call, gate) : [];
  const owner = call.path.server === null ? await ownerAmong(gate, uri, known) : call.targets[0];
  if (owner) return answerFrom(call, gate, owner);
  return askInTurn(call, gate, uri, known);
}

/** `resources/subscribe` of the legacy era; the face remembers it for the session, whose stream brings the news. */
export async function serveSubscribe(call: Call, gate: Gate): Promise<void> {
  const uri = uriOf(call);
  if (call.session === null) throw sessionNeeded();
  const followed = await gate.followings.follow(askerOf(call, gate), call.session, uri);
  if (followed.kind === 'nobody') throw noSuchResource(uri);
  if (followed.kind === 'followed') call.response = { kind: 'local', rawResult: '{}' };
  else {
    call.outcome = 'upstream_error';
    call.response = followed.response;
  }
}

export function serveUnsubscribe(call: Call, gate: Gate): void {
  const uri = uriOf(call);
  if (call.session !== null) gate.followings.unfollow(call.session, uri);
  call.response = { kind: 'local', rawResult: '{}' };
}

/** `completion/complete`: to the one server, or to the one that has the template. */
export async function serveCompletion(call: Call, gate: Gate): Promise<void> {
  const [only, second] = call.targets;
  if (only && !second) return answerFrom(call, gate, only);
  const ref = requestOf(call).params?.['ref'];
  const uri = isObject(ref) ? String(ref['uri']) : '';
  const owner = await ownerAmong(gate, uri, await knownServers(call, gate));
  if (!owner) throw noSuchResource(uri);
  return answerFrom(call, gate, owner);
}

function ownerAmong(gate: Gate, uri: string, known: readonly Known[]) {
  return findOwner(uri, known, gate.lists, gate.settings.listDeadlineMs);
}

function uriOf(call: Call): string {
  const uri = requestOf(call).params?.['uri'];
  if (typeof uri !== 'string') throw invalidParams('"params.uri" must be a string.');
  return uri;
}

async function askInTurn(call: Call, gate: Gate, uri: string, known: readonly Known[]): Promise<void> {
  const begun = serverOfState(call, gate);
  const able = known
    .filter((one) => one.hello !== undefined && 'resources' in one.hello.capabilities)
    // A retry goes back to where the question came from.
    .filter(({ target }) => begun === undefined || target.server.id === begun)
    .slice(0, mostAsked);
  for (const { target } of able) {
    const answer = await ask(call, gate, target);
    const code = answer.response.error?.code;
    if (code === rpcCode.resourceNotFound || code === rpcCode.invalidParams) continue;
    call.response = forCaller(call, gate, target, answer);
    return;
  }
  throw noSuchResource(uri);
}
