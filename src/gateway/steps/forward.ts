import { type Call, type Gate, requestOf } from '../call.ts';
import { connectFirst, needed, withoutOwnState } from '../connect/connect-first.ts';
import { serveConnectTool } from '../connect/connect-tool.ts';
import type { Offer } from '../connect/offer.ts';
import { orConnectAgain, usesAccount } from '../connect/connect-again.ts';
import { callTool } from '../operations/call-tool.ts';
import { serveDiscover, serveInitialize } from '../operations/hello.ts';
import { serveMetaTool } from '../meta/serve.ts';
import { serveList } from '../operations/lists.ts';
import { serveSetLevel } from '../operations/logging.ts';
import { toOneServer } from '../operations/one-server.ts';
import { serveCompletion, serveResource, serveSubscribe, serveUnsubscribe } from '../operations/resources.ts';
import { sealingTasks, serveTask } from '../operations/tasks.ts';
import { unknownMethod } from '../refusals.ts';
import type { Era } from '../rpc/protocol.ts';
import { allowsMethod } from '../upstreams/extensions.ts';
import { attachCredentials } from './attach-credentials.ts';
import { authorize } from './authorize.ts';
import { resolveServer } from './resolve-server.ts';
import { resolveTenant } from './resolve-tenant.ts';

type Operation = (call: Call, gate: Gate) => Promise<void> | void;

const both: readonly Era[] = ['modern', 'legacy'];

/** What each method does, and in which eras it exists. */
const operations = new Map<string, readonly [Operation, readonly Era[]]>([
  ['initialize', [serveInitialize, ['legacy']]],
  ['ping', [pong, ['legacy']]],
  ['logging/setLevel', [serveSetLevel, ['legacy']]],
  ['resources/subscribe', [serveSubscribe, ['legacy']]],
  ['resources/unsubscribe', [serveUnsubscribe, ['legacy']]],
  ['server/discover', [serveDiscover, ['modern']]],
  ['subscriptions/listen', [acknowledged, ['modern']]],
  ['tools/list', [serveList, both]],
  ['prompts/list', [serveList, both]],
  ['resources/list', [serveList, both]],
  ['resources/templates/list', [serveList, both]],
  ['tools/call', [sealingTasks(callTool), both]],
  ['tasks/get', [serveTask, ['modern']]],
  ['tasks/update', [serveTask, ['modern']]],
  ['tasks/cancel', [serveTask, ['modern']]],
  ['prompts/get', [toOneServer, both]],
  ['resources/read', [serveResource, both]],
  ['completion/complete', [serveCompletion, both]],
]);

/**
 * The tasks of 2025-11-25 are not served: their ids are bound to nobody, and a server lists everyone's on a shared
 * connection. A notification with an id is none, but a careless server would take it for one and cancel what somebody
 * else is waiting for.
 */
const withheld = /^(tasks|notifications)\//;

/** Sends the call where it belongs, or answers it from what the gate knows. */
export function forward(call: Call, gate: Gate): Promise<void> | void {
  if (call.message?.kind !== 'request') return undefined;
  if (call.metaTool !== null) return serveMetaTool(call, gate);
  if (call.connects) return serveConnectTool(call, gate);
  if (call.offer !== null) return afterConnecting(call, gate, call.offer);
  if (!usesAccount(call)) return operate(call, gate);
  return orConnectAgain(
    call,
    gate,
    () => operate(call, gate),
    (offer) => afterConnecting(call, gate, offer),
  );
}

function operate(call: Call, gate: Gate): Promise<void> | void {
  const { method } = requestOf(call);
  const known = operations.get(method);
  if (known && !known[1].includes(call.era)) throw unknownMethod();
  if (known) return known[0](call, gate);
  if (call.path.server === null || withheld.test(method)) throw unknownMethod();
  return passUnknown(call, gate);
}

const fromTheStart: readonly Operation[] = [resolveTenant, resolveServer, authorize, attachCredentials];

/**
 * The account comes first, and then the call as if it had just come in: minutes may have passed, and what the server has
 * was not known before.
 */
async function afterConnecting(call: Call, gate: Gate, offer: Offer): Promise<void> {
  // A person may take minutes, and nothing is under way meanwhile.
  call.leave?.();
  if ((await connectFirst(call, gate, offer)) === 'asked') return;
  withoutOwnState(call, gate);
  call.offer = null;
  for (const step of fromTheStart) await step(call, gate);
  // Another tenant is active by now.
  if (call.offer !== null) throw needed(call, gate, call.offer);
  await operate(call, gate);
}

/** Methods of extensions are listed nowhere: one that the gate does not know is the server's affair, within its policy. */
function passUnknown(call: Call, gate: Gate): Promise<void> {
  const [target] = call.targets;
  const known = target && gate.lists.peek(target, call.era, call.capabilities);
  const { method } = requestOf(call);
  if (target && !allowsMethod(target.server.definition.extensions, method, known?.hello?.capabilities))
    throw unknownMethod();
  return toOneServer(call, gate);
}

function pong(call: Call): void {
  call.response = { kind: 'local', rawResult: '{}' };
}

/** The face holds the stream; that it may be opened is all there is to decide here. */
function acknowledged(call: Call): void {
  call.response = { kind: 'local', rawResult: '{}' };
}
