// A call that needs its caller's account at a server, and finds none. Where the client can open a page for its person it
// is asked to (elicitation with a URL), and the call goes on once the account is there; else the answer is one sentence
// with the link.
import { randomUUID } from 'node:crypto';
import { inputRequired } from '../bridge/parked-call.ts';
import { digestOf, missingFor, responsesIn } from '../bridge/questions.ts';
import { maySuspend } from '../bridge/retry.ts';
import { type Call, type Gate, principalOf, requestOf } from '../call.ts';
import { accountNeeded, connectDeclined } from '../refusals.ts';
import { isObject, parseMessage, type RpcRequest, requestText } from '../rpc/message.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import { linkFor, nameOf } from './account-of.ts';
import type { Further, Offer } from './offer.ts';
import { texts } from './texts.ts';
import { untilConnected } from './until-connected.ts';

/** `connected`: the call can go on. `asked`: its answer is that the client shall open the link. */
export type Connecting = 'connected' | 'asked';

/** Has the caller connect the account, as far as the client can help with it. Throws Refusals with the link. */
export function connectFirst(call: Call, gate: Gate, offer: Offer): Promise<Connecting> {
  if (!canOpen(call)) throw needed(call, gate, offer);
  return call.era === 'modern' ? askModern(call, gate, offer) : askLegacy(call, gate, offer);
}

/** Did the client say that it can open a page, and can it be asked in the middle of this very request? */
export function canOpen(call: Call): boolean {
  const isDeclared = missingFor('elicitation/create', { mode: 'url' }, call.capabilities) === undefined;
  if (!isDeclared || call.message?.kind !== 'request') return false;
  if (call.era === 'modern') return maySuspend(call.message.method);
  return call.session !== null && call.client.ask !== undefined;
}

export function needed(call: Call, gate: Gate, offer: Offer): Error {
  return accountNeeded(nameOf(offer.server), linkFor(call, gate, offer.server, offer.further), offer.problem);
}

/** A client of 2025-11-25: a request on the stream of the call (client/elicitation.mdx, URL mode). */
async function askLegacy(call: Call, gate: Gate, offer: Offer): Promise<Connecting> {
  const elicitationId = randomUUID();
  const params = { ...pageOf(call, gate, offer), elicitationId };
  const answer = await call.client.ask?.(requestFor('elicitation/create', params));
  const action = answer && 'rawResult' in answer ? actionIn(answer.rawResult) : undefined;
  if (action !== 'accept') throw declined(call, gate, offer);
  if (!(await untilConnected(call, gate, offer, gate.connect.waits.streaming)))
    throw needed(call, gate, offer);
  const rawParams = JSON.stringify({ elicitationId });
  call.client.notify({
    kind: 'notification',
    method: 'notifications/elicitation/complete',
    params: { elicitationId },
    rawParams,
  });
  return 'connected';
}

/** A client of 2026-07-28: the answer asks for input, and the same request comes again (basic/patterns/mrtr.mdx). */
async function askModern(call: Call, gate: Gate, offer: Offer): Promise<Connecting> {
  const back = broughtBack(call, gate);
  if (back === undefined) {
    const question = { method: 'elicitation/create', params: pageOf(call, gate, offer) };
    call.response = inputRequired(JSON.stringify({ connect: question }), stateFor(call, gate, offer));
    call.reason = 'input_required';
    return 'asked';
  }
  if (back !== 'accept') throw declined(call, gate, offer);
  if (await untilConnected(call, gate, offer, gate.connect.waits.silent)) return 'connected';
  throw needed(call, gate, offer);
}

function declined(call: Call, gate: Gate, { server, further }: Offer): Error {
  return connectDeclined(nameOf(server), linkFor(call, gate, server, further));
}

function pageOf(call: Call, gate: Gate, { server, problem, further }: Offer) {
  return {
    mode: 'url',
    url: linkFor(call, gate, server, further),
    message: texts.ask(nameOf(server), problem),
  };
}

function requestFor(method: string, params: object): RpcRequest {
  const parsed = parseMessage(requestText('0', method, JSON.stringify(params)));
  if (parsed.ok && parsed.message.kind === 'request') return parsed.message;
  throw new Error('a request of the gate’s own is none');
}

function actionIn(rawResult: string): string | undefined {
  const result: unknown = JSON.parse(rawResult);
  return isObject(result) && typeof result['action'] === 'string' ? result['action'] : undefined;
}

/** What the client keeps for us: whose request was answered so, and which. It grants nothing. */
function stateFor(call: Call, gate: Gate, { further }: Offer): string {
  const whose = [principalOf(call).id, digestIn(call)];
  return gate.connect.sealer.seal(JSON.stringify(further ? [...whose, further] : whose));
}

function digestIn(call: Call): string {
  const { method, params } = requestOf(call);
  const { _meta, inputResponses: _responses, requestState: _state, ...same } = params ?? {};
  return digestOf([method, call.tenant?.id ?? null, same]);
}

/** What became of the question, if this request is the retry of one that was answered with it. */
function broughtBack(call: Call, gate: Gate): string | undefined {
  const { rawParams = '{}' } = requestOf(call);
  if (ownState(call, gate) === undefined) return undefined;
  const span = findMember(membersOf(rawParams), 'inputResponses');
  const raw = responsesIn(span && rawParams.slice(span.start, span.end)).get('connect');
  return raw === undefined ? 'none' : actionIn(raw);
}

/** The permissions that the client was asked for when this request came before; undefined for any other request. */
export function furtherBroughtBack(call: Call, gate: Gate): Further | undefined {
  return call.era === 'modern' && call.message?.kind === 'request'
    ? ownState(call, gate)?.further
    : undefined;
}

function ownState(call: Call, gate: Gate): { readonly further?: Further | undefined } | undefined {
  const opened = openedState(gate, requestOf(call).params?.['requestState']);
  if (opened === undefined) return undefined;
  const [user, digest, further] = JSON.parse(opened) as [string, string, Further?]; // sealed above alone
  return user === principalOf(call).id && digest === digestIn(call) ? { further } : undefined;
}

/** A state of ours is nothing to a server: a retry is an ordinary request to it. */
export function withoutOwnState(call: Call, gate: Gate): void {
  const { message } = call;
  if (call.era !== 'modern' || message?.kind !== 'request') return;
  if (openedState(gate, message.params?.['requestState']) === undefined) return;
  const { requestState: _state, inputResponses: _responses, ...params } = message.params ?? {};
  const without = (raw: string) => editObject(raw, { requestState: null, inputResponses: null });
  call.message = { ...message, params, rawParams: without(message.rawParams ?? '{}') };
  if (call.rawParams !== undefined) call.rawParams = without(call.rawParams);
}

const longestState = 4_000;

function openedState(gate: Gate, state: unknown): string | undefined {
  if (typeof state !== 'string' || state.length > longestState) return undefined;
  return gate.connect.sealer.open(state);
}
