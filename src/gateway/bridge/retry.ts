import { randomUUID } from 'node:crypto';
import { type Call, type Gate, principalOf, requestOf } from '../call.ts';
import { hears } from '../operations/logging.ts';
import { Refusal } from '../refusal.ts';
import { isObject, type RpcNotification, type RpcResponse } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import { findMember, membersOf } from '../rpc/raw.ts';
import { WireError } from '../rpc/wire-error.ts';
import type { Target } from '../upstreams/target.ts';
import { underToken } from '../upstreams/outgoing.ts';
import { isLegacyOnly } from './modern-notifications.ts';
import { resumeElsewhere } from './other-nodes.ts';
import type { Continued, Settled, Subject } from './parked-call.ts';
import { digestOf, type GivenAnswers, responsesIn } from './questions.ts';
import type { RequestState } from './request-state.ts';

/** Methods whose results may ask for more (2026-07-28 basic/patterns/mrtr.mdx). */
const mayAsk = new Set(['tools/call', 'prompts/get', 'resources/read']);

export function maySuspend(method: string): boolean {
  return mayAsk.has(method);
}

/**
 * `answer`: the parked call has gone on to this. `replay`: nothing waits any more, so the request is sent anew and
 * its questions are answered from what the client brought. A retry is defined as another execution of the original
 * request, so a server that acts before it asks has to expect that from any client.
 */
export type Resumed =
  | { readonly kind: 'answer'; readonly response: RpcResponse }
  | { readonly kind: 'replay'; readonly given: GivenAnswers };

/** The state that a modern client brought back; undefined for a first attempt. */
export function stateIn(call: Call): string | undefined {
  if (call.era === 'legacy') return undefined;
  const { method, params } = requestOf(call);
  const state = params?.['requestState'];
  return typeof state === 'string' && mayAsk.has(method) ? state : undefined;
}

/** The server that a retry belongs to, where the request itself does not say it. */
export function serverOfState(call: Call, gate: Gate): string | undefined {
  const sealed = stateIn(call);
  return sealed === undefined ? undefined : gate.parked.readState(sealed)?.server;
}

/** Goes on with the call that the state is of. Undefined: the gate did not make this state. Throws Refusals. */
export async function resume(
  call: Call,
  gate: Gate,
  target: Target,
  sealed: string,
): Promise<Resumed | undefined> {
  const state = gate.parked.readState(sealed);
  if (!state) return undefined;
  check(call, gate, target, state);
  // A client that is gone already does not go on with anything.
  call.controller.signal.throwIfAborted();
  const rawResponses = rawParam(call, 'inputResponses');
  const replay: Resumed = { kind: 'replay', given: givenAnswers(state, rawResponses) };
  if (state.kind === 'again') return declinedAny(rawResponses) ? refuseDeclined(target) : replay;
  const settled =
    state.node === gate.parked.node
      ? await resumeHere(call, gate, state, rawResponses)
      : await resumeElsewhere(gate.parked.bus, elsewhere(call, state, rawResponses), gate.parked.limits);
  if (settled === 'gone') return replay;
  if ('error' in settled) throw settled.error;
  return { kind: 'answer', response: settled.response };
}

/** Whose call this is and what it asks, as far as a retry has to be the same. */
export function subjectOf(call: Call, target: Target): Subject {
  const { method, params } = requestOf(call);
  const { _meta, inputResponses: _responses, requestState: _state, ...same } = params ?? {};
  const server = target.server.id;
  return {
    principal: principalOf(call).id,
    server,
    // Answers go to nobody but who asked: another address or credential is another server.
    digest: digestOf([method, target.key, call.tenant?.id ?? null, same]),
    capabilities: call.capabilities,
  };
}

/** Somebody else's state looks like one that was never made (-32602, 2026-07-28 basic/patterns/mrtr.mdx). */
export function unknownState(): WireError {
  const message = 'This is no retry that the gate can go on with: make the call again from the start.';
  return new WireError(200, rpcCode.invalidParams, message);
}

function check(call: Call, gate: Gate, target: Target, state: RequestState): void {
  const { principal, digest } = subjectOf(call, target);
  if (state.principal !== principal || state.digest !== digest) throw unknownState();
  if (state.expiresAt < gate.clock())
    throw new Refusal(
      'answered_too_late',
      'The answers came too late, and the call was ended: make it again from the start.',
      { outcome: 'timeout', status: 200, rpcCode: rpcCode.invalidParams },
    );
}

function givenAnswers(state: RequestState, rawResponses: string | undefined): GivenAnswers {
  const given: GivenAnswers = new Map();
  const add = (digest: string, raw: string) => void given.set(digest, [...(given.get(digest) ?? []), raw]);
  for (const [digest, raw] of state.answered) add(digest, raw);
  const responses = responsesIn(rawResponses);
  for (const [key, digest] of state.questions) {
    const raw = responses.get(key);
    if (raw !== undefined) add(digest, raw);
  }
  return given;
}

function declinedAny(rawResponses: string | undefined): boolean {
  return [...responsesIn(rawResponses).values()].some((raw) => {
    const response: unknown = JSON.parse(raw);
    return isObject(response) && response['action'] !== 'accept';
  });
}

function refuseDeclined(target: Target): never {
  throw new Refusal(
    'declined',
    `The server "${target.server.id}" needs a page to be opened first, which was declined.`,
    { outcome: 'tool_error', status: 200, rpcCode: rpcCode.internal },
  );
}

function resumeHere(
  call: Call,
  gate: Gate,
  state: RequestState,
  rawResponses: string | undefined,
): Promise<Settled> | 'gone' {
  const parked = gate.parked.find(state.id, state.principal, state.digest);
  return parked ? attached(parked, call, rawResponses) : 'gone';
}

function attached(parked: Continued, call: Call, rawResponses: string | undefined): Promise<Settled> {
  const { signal } = call.controller;
  return new Promise((resolve) => {
    const gone = () => parked.cancel(signal.reason);
    signal.addEventListener('abort', gone, { once: true });
    const settle = (outcome: Settled) => {
      signal.removeEventListener('abort', gone);
      resolve(outcome);
    };
    parked.attach({ notify: notifier(call), settle }, rawResponses);
  });
}

function elsewhere(call: Call, state: RequestState, rawResponses: string | undefined) {
  const { node, id, principal, digest } = state;
  const { signal } = call.controller;
  return { node, id, principal, digest, rawResponses, signal, retry: randomUUID(), notify: notifier(call) };
}

/** Progress goes on under the token of the retry, which need not be that of the first request. */
function notifier(call: Call): (message: RpcNotification) => void {
  const rawMeta = rawParam(call, '_meta') ?? '{}';
  const span = findMember(membersOf(rawMeta), 'progressToken');
  const token = span && rawMeta.slice(span.start, span.end);
  return (message) => {
    if (message.method === 'notifications/progress' && token === undefined) return;
    if (isLegacyOnly(message.method) || !hears(call, message)) return;
    call.client.notify(underToken(message, token));
  };
}

/** JSON text of a member of the params. */
function rawParam(call: Call, name: string): string | undefined {
  const { rawParams = '{}' } = requestOf(call);
  const span = findMember(membersOf(rawParams), name);
  return span && rawParams.slice(span.start, span.end);
}
