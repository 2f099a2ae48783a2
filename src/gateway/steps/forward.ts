import type { Call, Gate } from '../call.ts';
import { serveDiscover, serveInitialize } from '../operations/hello.ts';
import { serveList } from '../operations/lists.ts';
import { serveSetLevel } from '../operations/logging.ts';
import { toOneServer } from '../operations/one-server.ts';
import { serveCompletion, serveResource } from '../operations/resources.ts';
import { unknownMethod } from '../refusals.ts';
import type { Era } from '../rpc/protocol.ts';

type Operation = (call: Call, gate: Gate) => Promise<void> | void;

const both: readonly Era[] = ['modern', 'legacy'];

/** What each method does, and in which eras it exists. */
const operations = new Map<string, readonly [Operation, readonly Era[]]>([
  ['initialize', [serveInitialize, ['legacy']]],
  ['ping', [pong, ['legacy']]],
  ['logging/setLevel', [serveSetLevel, ['legacy']]],
  ['resources/subscribe', [serveResource, ['legacy']]],
  ['resources/unsubscribe', [serveResource, ['legacy']]],
  ['server/discover', [serveDiscover, ['modern']]],
  ['subscriptions/listen', [acknowledged, ['modern']]],
  ['tools/list', [serveList, both]],
  ['prompts/list', [serveList, both]],
  ['resources/list', [serveList, both]],
  ['resources/templates/list', [serveList, both]],
  ['tools/call', [toOneServer, both]],
  ['prompts/get', [toOneServer, both]],
  ['resources/read', [serveResource, both]],
  ['completion/complete', [serveCompletion, both]],
]);

/**
 * Task ids are not bound to a caller yet: on a shared connection one could read another's. A notification with an
 * id is none, but a careless server would take it for one and cancel what somebody else is waiting for.
 */
const withheld = /^(tasks|notifications)\//;

/** Sends the call where it belongs, or answers it from what the gate knows. */
export function forward(call: Call, gate: Gate): Promise<void> | void {
  if (call.message?.kind !== 'request') return undefined;
  const { method } = call.message;
  const known = operations.get(method);
  if (known && !known[1].includes(call.era)) throw unknownMethod();
  if (known) return known[0](call, gate);
  if (call.path.server === null || withheld.test(method)) throw unknownMethod();
  // Extensions are not listed anywhere: a method that the gate does not know is the server's own affair.
  return toOneServer(call, gate);
}

function pong(call: Call): void {
  call.response = { kind: 'local', rawResult: '{}' };
}

/** The face holds the stream; that it may be opened is all there is to decide here. */
function acknowledged(call: Call): void {
  call.response = { kind: 'local', rawResult: '{}' };
}
