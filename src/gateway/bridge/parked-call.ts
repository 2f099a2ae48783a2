import { randomUUID } from 'node:crypto';
import { UpstreamError } from '../connectors/contract.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../rpc/message.ts';
import type { ClientAnswer } from '../upstreams/outgoing.ts';
import type { BridgeLimits } from './limits.ts';
import { missingFor, questionDigest, questionForModern, responsesIn } from './questions.ts';

/** Whose call it is, and which: what a retry has to match. */
export interface Subject {
  readonly principal: string;
  readonly server: string;
  readonly digest: string;
  /** What the client can be asked, as JSON text. */
  readonly capabilities: string;
}

export type Settled = { readonly response: RpcResponse } | { readonly error: unknown };

/** The client's request that waits for the call at the moment. */
export interface Waiting {
  notify(message: RpcNotification): void;
  settle(outcome: Settled): void;
}

export interface ParkedCallOptions {
  readonly subject: Subject;
  readonly limits: BridgeLimits;
  /** Of the request to the server. */
  readonly controller: AbortController;
  readonly waiting: Waiting;
  /** Length of its params. */
  readonly paramsLength: number;
  /** May so many more characters be kept? */
  hasRoom(length: number): boolean;
  /** Would the call be let through at this moment, to the same server in the same way? */
  isAllowed(): boolean;
  seal(open: ParkedCall['open'], answered: ParkedCall['answered']): string;
  /** A message that nobody waits for was dropped. */
  onDropped(method: string): void;
  /** `told`: what the server answered, for a retry that comes once more; undefined when the call was given up. */
  onOver(told: Settled | undefined): void;
}

/** What a retry goes on with. */
export type Continued = Pick<ParkedCall, 'subject' | 'attach' | 'cancel'>;

interface Question {
  readonly digest: string;
  /** Value of `inputRequests`, JSON text. */
  readonly raw: string;
  resolve(answer: ClientAnswer): void;
}

/** Room for earlier answers in the sealed state: more, and a replay asks again. */
const mostAnswered = 8_000;

/**
 * A request under way at a legacy server that has asked its modern client something. The client is told
 * `input_required` and goes; the request stays open until a retry brings the answers, or until it expires.
 */
export class ParkedCall {
  readonly id = randomUUID();
  readonly subject: Subject;
  readonly #o: ParkedCallOptions;
  readonly #questions = new Map<string, Question>();
  readonly #answered: [string, string][] = [];
  #waiting: Waiting | undefined;
  #outcome: Settled | undefined;
  #asked = 0;
  #rounds = 0;
  #gathering: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(o: ParkedCallOptions) {
    this.#o = o;
    this.subject = o.subject;
    this.#waiting = o.waiting;
  }

  /** Key -> digest of the questions that have no answer. */
  get open(): readonly (readonly [string, string])[] {
    return [...this.#questions].map(([key, { digest }]) => [key, digest]);
  }

  get answered(): readonly (readonly [string, string])[] {
    return this.#answered;
  }

  /** Characters that are kept for it. */
  get kept(): number {
    let sum = this.#o.paramsLength + lengthOf(this.#outcome);
    for (const { raw } of this.#questions.values()) sum += raw.length;
    return sum;
  }

  /** The server's question; resolves when a retry answers it. */
  ask(request: RpcRequest): Promise<ClientAnswer> {
    const { limits, subject } = this.#o;
    if (this.#isOver) return refused('The call is over');
    if (missingFor(request.method, request.params, subject.capabilities) !== undefined)
      return Promise.resolve(notDeclared(request.method));
    if (this.#questions.size >= limits.mostQuestions || this.#rounds >= limits.mostRounds)
      return refused('Too many questions in one call');
    const raw = questionForModern(request);
    if (!this.#o.hasRoom(raw.length)) return refused(noRoom);
    return new Promise((resolve) => {
      const digest = questionDigest(request.method, request.params);
      this.#questions.set(`q${++this.#asked}`, { digest, raw, resolve });
      this.#gather();
    });
  }

  /**
   * A retry takes the place of the request that is gone. A later one takes it over: whoever has the state may go on,
   * and the process of the earlier one may be dead.
   */
  attach(waiting: Waiting, rawResponses: string | undefined): void {
    clearTimeout(this.#expiry);
    const earlier = this.#waiting;
    this.#waiting = waiting;
    earlier?.settle({ error: new UpstreamError('cancelled', 'Another request has continued this call.') });
    if (this.#outcome) this.finish(this.#outcome);
    else this.#deliver(responsesIn(rawResponses));
  }

  notify(message: RpcNotification): void {
    if (this.#waiting) this.#waiting.notify(message);
    else this.#o.onDropped(message.method);
  }

  /** The server has answered, or the request to it has failed. Kept for the retry when nobody waits. */
  finish(outcome: Settled): void {
    if (this.#isOver) return;
    // After a failure the server hears that it was cancelled, if it can hear; an answer might get there first.
    if ('response' in outcome) this.#endQuestions();
    const waiting = this.#waiting;
    const fitting = this.#fitting(outcome);
    if (waiting) {
      this.#end('response' in outcome ? fitting : undefined);
      return waiting.settle(outcome);
    }
    // The client was gone before it had read the question, so it cannot come back.
    if ('error' in outcome && this.#o.controller.signal.aborted) return this.#end();
    this.#outcome = fitting;
  }

  /** Gives the call up when its caller has lost the right to it. One that is waited for has just been let through. */
  recheck(): void {
    if (this.#waiting || this.#o.isAllowed()) return;
    this.cancel(new UpstreamError('cancelled', 'The caller may not make this call any more.'));
  }

  /** Gives the call up: the server is told to stop. */
  cancel(reason: Error): void {
    if (this.#isOver) return;
    const waiting = this.#waiting;
    this.#end();
    this.#o.controller.abort(reason);
    this.#questions.clear();
    waiting?.settle({ error: reason });
  }

  #deliver(responses: ReadonlyMap<string, string>): void {
    for (const [key, question] of [...this.#questions]) {
      const rawResult = responses.get(key);
      if (rawResult === undefined) continue;
      this.#questions.delete(key);
      this.#remember(question.digest, rawResult);
      question.resolve({ rawResult });
    }
    // What was asked while nobody was there, or was left unanswered, is asked now.
    if (this.#questions.size > 0) this.#gather();
  }

  #remember(digest: string, rawResult: string): void {
    const size = this.#answered.reduce((sum, [, raw]) => sum + raw.length, rawResult.length);
    if (size <= mostAnswered) this.#answered.push([digest, rawResult]);
  }

  /** Waits a moment for more, so that questions asked at once travel together. */
  #gather(): void {
    if (!this.#waiting) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#leave();
    }, this.#o.limits.gatherMs);
  }

  /** Tells the client what is asked; from now on nobody waits. */
  #leave(): void {
    const waiting = this.#waiting;
    if (!waiting || this.#questions.size === 0) return;
    const { parkedMs, mostRounds } = this.#o.limits;
    // A client that comes back without answers would keep the call for ever.
    if (++this.#rounds > mostRounds)
      return this.cancel(new UpstreamError('cancelled', 'The questions of the server were not answered.'));
    this.#waiting = undefined;
    this.#expiry = setTimeout(
      () => this.cancel(new Error('nobody brought the answers in time')),
      parkedMs,
    ).unref();
    const state = this.#o.seal(this.open, this.#answered);
    const requests = [...this.#questions].map(([key, { raw }]) => `${JSON.stringify(key)}:${raw}`);
    waiting.settle({ response: inputRequired(`{${requests.join(',')}}`, state) });
  }

  #fitting(outcome: Settled): Settled {
    const length = lengthOf(outcome);
    if (length <= this.#o.limits.keptBytes && this.#o.hasRoom(length)) return outcome;
    const { server } = this.subject;
    const message = `The answer of the server "${server}" was too large to keep it for this request.`;
    return { error: new UpstreamError('too_large', message) };
  }

  #end(told?: Settled): void {
    this.#isOver = true;
    this.#waiting = undefined;
    clearTimeout(this.#expiry);
    clearTimeout(this.#gathering);
    this.#o.onOver(told);
  }

  #endQuestions(): void {
    for (const { resolve } of this.#questions.values()) resolve(refusal('The call is over'));
    this.#questions.clear();
  }
}

/** Characters of a response; a failure has none that count. */
export function lengthOf(outcome: Settled | undefined): number {
  if (!outcome || 'error' in outcome) return 0;
  const { rawResult, rawError } = outcome.response;
  return (rawResult ?? rawError ?? '').length;
}

/** What a server hears whose question there is no room for. */
export const noRoom = 'Too many calls wait for answers of their clients; try again later';

/** The result that asks the client for more. `rawRequests` is JSON text of an object. */
export function inputRequired(rawRequests: string, state: string): RpcResponse {
  return {
    kind: 'response',
    rawId: null,
    result: { resultType: 'input_required' },
    rawResult: `{"resultType":"input_required","inputRequests":${rawRequests},"requestState":${JSON.stringify(state)}}`,
    error: undefined,
    rawError: undefined,
  };
}

/** What a client without the capability answers itself. */
export function notDeclared(method: string): ClientAnswer {
  return {
    rawError: `{"code":-32601,"message":${JSON.stringify(`The client did not declare that it takes ${method}`)}}`,
  };
}

export function refused(message: string): Promise<ClientAnswer> {
  return Promise.resolve(refusal(message));
}

function refusal(message: string): ClientAnswer {
  return { rawError: `{"code":-32603,"message":${JSON.stringify(message)}}` };
}
