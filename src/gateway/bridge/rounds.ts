import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Call } from '../call.ts';
import { Refusal } from '../refusal.ts';
import { isObject, parseMessage, type RpcRequest, type RpcResponse, requestText } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import { missingFor } from './questions.ts';

/** How often a modern server may ask in one call of a legacy client, as the official SDK has it. */
const mostRounds = 8;
const mostQuestions = 20;
/** A server that only wants to be asked again later gets a moment, and a longer one each time; in milliseconds. */
const firstPause = 250;
const longestPause = 5_000;
/** About five minutes. */
const mostPauses = 60;

export interface Rounds {
  readonly call: Pick<Call, 'capabilities' | 'client' | 'controller'>;
  readonly server: string;
  /** Params of the first attempt, envelope included. */
  readonly rawParams: string;
  send(rawParams: string): Promise<RpcResponse>;
}

export function asksForMore(response: RpcResponse): boolean {
  return response.result?.['resultType'] === 'input_required';
}

/**
 * A modern server behind a legacy client: its questions become requests to the client on the stream of the call, and
 * the answers go back with the request sent anew (2026-07-28 basic/patterns/mrtr.mdx).
 */
export async function throughRounds(first: RpcResponse, rounds: Rounds): Promise<RpcResponse> {
  const { call, server } = rounds;
  let response = first;
  let asked = 0;
  let pauses = 0;
  while (asksForMore(response)) {
    const { questions, state } = wantedIn(response, rounds);
    let inputResponses: string | null = null;
    if (questions.length > 0) {
      if (++asked > mostRounds)
        throw cannot(`The server "${server}" asked more than ${mostRounds} times in one call.`);
      inputResponses = await answersTo(questions, rounds);
    } else {
      if (++pauses > mostPauses) throw cannot(`The server "${server}" did not come to an end.`);
      const pause = Math.min(longestPause, firstPause * 2 ** pauses);
      await delay(pause, undefined, { signal: call.controller.signal });
    }
    response = await rounds.send(editObject(rounds.rawParams, { inputResponses, requestState: state }));
  }
  return response;
}

/** The questions of a result, and its state as JSON text. A result without both is none. */
function wantedIn({ rawResult = '{}' }: RpcResponse, rounds: Rounds) {
  const members = membersOf(rawResult);
  const textOf = (key: string) => {
    const span = findMember(members, key);
    return span && rawResult.slice(span.start, span.end);
  };
  const requests = textOf('inputRequests');
  const state = textOf('requestState') ?? null;
  const questions = requests === undefined ? [] : questionsIn(requests, rounds);
  if (questions.length === 0 && state === null)
    throw cannot(`The server "${rounds.server}" wants more input and does not say what.`);
  return { questions, state };
}

interface Question {
  readonly key: string;
  readonly request: RpcRequest;
}

/** All of them, or a sentence about the first one that this client cannot be asked. */
function questionsIn(rawRequests: string, { call, server }: Rounds): Question[] {
  const members = rawRequests.startsWith('{') ? membersOf(rawRequests) : [];
  if (members.length > mostQuestions)
    throw cannot(`The server "${server}" asks more than ${mostQuestions} things at once.`);
  return members.map(({ key, start, end }) => {
    const request = embedded(rawRequests.slice(start, end));
    if (!request) throw cannot(`The server "${server}" asks in a way that the gate does not understand.`);
    const missing = missingFor(request.method, request.params, call.capabilities);
    if (missing !== undefined || !call.client.ask)
      throw cannot(
        `The server "${server}" needs to ask this client something (${missing ?? request.method}), and the client did not say that it can be asked.`,
      );
    return { key, request };
  });
}

function embedded(raw: string): RpcRequest | undefined {
  const value: unknown = JSON.parse(raw);
  if (!isObject(value) || typeof value['method'] !== 'string') return undefined;
  const span = findMember(membersOf(raw), 'params');
  const rawParams = span && legacyParams(raw.slice(span.start, span.end), value['params']);
  const parsed = parseMessage(requestText('0', value['method'], rawParams));
  return parsed.ok && parsed.message.kind === 'request' ? parsed.message : undefined;
}

/** Forms have no mode before 2025-11-25, and a page has a name that the modern era dropped. */
function legacyParams(rawParams: string, params: unknown): string {
  if (!isObject(params)) return rawParams;
  if (params['mode'] === 'form') return editObject(rawParams, { mode: null });
  return params['mode'] === 'url'
    ? editObject(rawParams, { elicitationId: JSON.stringify(randomUUID()) })
    : rawParams;
}

/** JSON text of `inputResponses`. Everything is asked at once; the face gives each question its own limit. */
async function answersTo(questions: readonly Question[], { call, server }: Rounds): Promise<string> {
  const { ask } = call.client;
  if (!ask) throw new Error('questionsIn lets nothing through without it');
  const answers = await Promise.all(
    questions.map(async ({ key, request }) => {
      const answer = await ask(request);
      // Without a result there is nothing to go on with: the modern era has no way to pass an error on.
      if ('rawError' in answer)
        throw cannot(`The client did not answer what the server "${server}" asked (${request.method}).`);
      return `${JSON.stringify(key)}:${answer.rawResult}`;
    }),
  );
  return `{${answers.join(',')}}`;
}

function cannot(message: string): Refusal {
  return new Refusal('input_required', message, {
    outcome: 'upstream_error',
    status: 200,
    rpcCode: rpcCode.internal,
  });
}
