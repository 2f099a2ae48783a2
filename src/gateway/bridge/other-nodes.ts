import { type Bus, longestMessage } from '../../platform/bus/contract.ts';
import { UpstreamError, type UpstreamFailure } from '../connectors/contract.ts';
import { parseMessage, type RpcNotification, responseText } from '../rpc/message.ts';
import type { BridgeLimits } from './limits.ts';
import type { Continued, Settled, Waiting } from './parked-call.ts';

/**
 * A retry that lands on another process than the one whose request to the server is open. The process with the retry
 * asks the other one to take the answers, and then keeps asking for the outcome: each question is a sign of life of
 * the one, each reply a sign of life of the other, and a lost message costs one more question.
 */

const topic = {
  resume: 'parked.resume',
  wait: 'parked.wait',
  notify: 'parked.notify',
  cancel: 'parked.cancel',
} as const;

interface ResumeMessage {
  /** Name of this retry. */
  readonly retry: string;
  readonly id: string;
  readonly principal: string;
  readonly digest: string;
  readonly rawResponses: string | null;
}

interface NotifyMessage {
  readonly retry: string;
  readonly method: string;
  readonly rawParams: string | null;
}

/** In UTF-16 units; sealed and in UTF-8 it must fit into one message of the bus. */
const longestAnswer = longestMessage / 6;

/** `gone`: there is no such call any more. */
type Taken = 'taken' | 'gone';

/** An outcome as it travels: the response as text, byte for byte, or what may be said of the failure. */
type Reply =
  | { readonly kind: 'working' | 'gone' }
  | { readonly kind: 'response'; readonly text: string }
  | { readonly kind: 'failed'; readonly failure: UpstreamFailure; readonly message: string };

/** Where parked calls are found. */
interface Parked {
  find(id: string, principal: string, digest: string): Continued | undefined;
}

/** Lets other processes continue the calls that are parked here. Returns how to stop. */
export function serveOtherNodes(bus: Bus, parked: Parked, limits: BridgeLimits): () => void {
  const retries = new Map<string, RemoteRetry>();
  // Every message was sent by a process with the same master key, in the shapes above.
  const stops = [
    bus.answer(topic.resume, (message, from): Taken => {
      const asked = message as ResumeMessage;
      const call = parked.find(asked.id, asked.principal, asked.digest);
      if (!call) return 'gone';
      const retry = new RemoteRetry(call, limits, {
        notify: ({ method, rawParams = null }) =>
          bus.send(from, topic.notify, { retry: asked.retry, method, rawParams } satisfies NotifyMessage),
        forget: () => void retries.delete(asked.retry),
      });
      retries.set(asked.retry, retry);
      call.attach(retry, asked.rawResponses ?? undefined);
      return 'taken';
    }),
    bus.answer(topic.wait, (message) => {
      const { retry } = message as { retry: string };
      return retries.get(retry)?.outcome() ?? ({ kind: 'gone' } satisfies Reply);
    }),
    bus.on(topic.cancel, (message) => {
      const { retry } = message as { retry: string };
      retries.get(retry)?.cancel();
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    for (const retry of [...retries.values()]) retry.forget();
  };
}

/** Stands in, beside a parked call, for a request that waits in another process. */
class RemoteRetry implements Waiting {
  readonly #call: Continued;
  readonly #limits: BridgeLimits;
  readonly #o: { notify(message: RpcNotification): void; forget(): void };
  #reply: Reply | undefined;
  #asking: ((reply: Reply) => void) | undefined;
  #silence: NodeJS.Timeout;

  constructor(
    call: Continued,
    limits: BridgeLimits,
    o: { notify(message: RpcNotification): void; forget(): void },
  ) {
    this.#call = call;
    this.#limits = limits;
    this.#o = o;
    this.#silence = this.#listen();
  }

  notify(message: RpcNotification): void {
    this.#o.notify(message);
  }

  settle(outcome: Settled): void {
    this.#reply = replyOf(outcome, this.#call.subject.server);
    this.#asking?.(this.#reply);
  }

  /** The outcome, or `working` after a while. */
  outcome(): Reply | Promise<Reply> {
    clearTimeout(this.#silence);
    this.#silence = this.#listen();
    if (this.#reply) return this.#reply;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#asking?.({ kind: 'working' }), this.#limits.pingMs);
      this.#asking = (reply) => {
        clearTimeout(timer);
        this.#asking = undefined;
        resolve(reply);
      };
    });
  }

  cancel(): void {
    if (!this.#reply) this.#call.cancel(new Error('the client is gone'));
    this.forget();
  }

  forget(): void {
    clearTimeout(this.#silence);
    this.#asking?.({ kind: 'gone' });
    this.#o.forget();
  }

  /** A process that stopped asking is gone, and the client with it. */
  #listen(): NodeJS.Timeout {
    return setTimeout(() => this.cancel(), this.#limits.forgetMs).unref();
  }
}

function replyOf(outcome: Settled, server: string): Reply {
  if ('response' in outcome) {
    const text = responseText('0', outcome.response);
    if (text.length <= longestAnswer) return { kind: 'response', text };
    // What the bus does not carry would look like a process that is gone, and the call would be made twice.
    const message = `The answer of the server "${server}" is too large for a call that was continued elsewhere.`;
    return { kind: 'failed', failure: 'too_large', message };
  }
  const { error } = outcome;
  if (error instanceof UpstreamError) return { kind: 'failed', failure: error.kind, message: error.message };
  return { kind: 'failed', failure: 'closed', message: `The server "${server}" could not be used.` };
}

export interface Elsewhere {
  readonly node: string;
  readonly retry: string;
  readonly id: string;
  readonly principal: string;
  readonly digest: string;
  readonly rawResponses: string | undefined;
  /** Of the client's request. */
  readonly signal: AbortSignal;
  notify(message: RpcNotification): void;
}

/** Has another process continue the call. `gone`: it cannot, so the request has to be sent anew. */
export async function resumeElsewhere(
  bus: Bus,
  o: Elsewhere,
  limits: BridgeLimits,
): Promise<Settled | 'gone'> {
  const { node, retry, signal } = o;
  const stopHearing = bus.on(topic.notify, (message) => {
    const { retry: of, method, rawParams } = message as NotifyMessage;
    if (of !== retry) return;
    const heard = parseMessage(
      `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${paramsText(rawParams)}}`,
    );
    if (heard.ok && heard.message.kind === 'notification') o.notify(heard.message);
  });
  const tellGone = () => bus.send(node, topic.cancel, { retry });
  signal.addEventListener('abort', tellGone, { once: true });
  try {
    const { id, principal, digest, rawResponses = null } = o;
    const asked: ResumeMessage = { retry, id, principal, digest, rawResponses };
    const taken = await bus.ask(node, topic.resume, asked, limits.takeOverMs).catch(() => 'gone');
    if (taken !== 'taken') {
      // Too slow is not dead: what it may have begun for this retry ends.
      tellGone();
      return 'gone';
    }
    return await followElsewhere(bus, o, limits);
  } finally {
    stopHearing();
    signal.removeEventListener('abort', tellGone);
  }
}

/** One lost message is chance; two in a row are a process that is no longer there. */
const mostMissed = 2;

async function followElsewhere(bus: Bus, o: Elsewhere, limits: BridgeLimits): Promise<Settled | 'gone'> {
  const { node, retry, signal } = o;
  for (let missed = 0; missed < mostMissed; ) {
    const told = await bus.ask(node, topic.wait, { retry }, limits.silenceMs).catch(() => undefined);
    const reply = told as Reply | undefined; // only serveOtherNodes sends these
    missed = reply ? 0 : missed + 1;
    if (signal.aborted) return { error: signal.reason };
    if (reply?.kind === 'gone') return 'gone';
    if (reply?.kind === 'failed') return { error: new UpstreamError(reply.failure, reply.message) };
    if (reply?.kind !== 'response') continue;
    const parsed = parseMessage(reply.text);
    if (parsed.ok && parsed.message.kind === 'response') return { response: parsed.message };
    return 'gone';
  }
  bus.send(node, topic.cancel, { retry });
  return 'gone';
}

function paramsText(rawParams: string | null): string {
  return rawParams === null ? '' : `,"params":${rawParams}`;
}
