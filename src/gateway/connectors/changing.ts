import { AppError } from '../../platform/errors.ts';
import { type ChangingHeaders, UpstreamError } from './contract.ts';
import { untilAborted } from './until-aborted.ts';

type Headers = Readonly<Record<string, string>>;

interface Answered {
  readonly statusCode: number;
}

interface Sending<Answer> {
  readonly signal: AbortSignal;
  send(headers: Headers): Promise<Answer>;
  /** Lets go of an answer that nobody reads. */
  discard(answer: Answer): void;
}

/**
 * Sends a request with headers that change while the connection stays: they are asked for now, and when the server
 * refuses them (401), once more if there are other ones by then. A server that says 401 has not begun with anything.
 */
export async function withChanging<Answer extends Answered>(
  changing: ChangingHeaders,
  { signal, send, discard }: Sending<Answer>,
): Promise<Answer> {
  const headers = await asked(() => changing.current(), signal);
  const answer = await send(headers);
  if (answer.statusCode !== 401 || !(await asked(() => changing.refused(headers), signal))) return answer;
  discard(answer);
  const next = await asked(() => changing.current(), signal);
  const second = await send(next);
  // Whoever gives the headers out has to know of these as well: the next request may need other ones again.
  if (second.statusCode === 401) await asked(() => changing.refused(next), signal);
  return second;
}

/** Why there are none is told in the words of whoever was asked: they are for callers. */
async function asked<Value>(ask: () => Value | Promise<Value>, signal: AbortSignal): Promise<Value> {
  try {
    const found = ask();
    return found instanceof Promise ? await untilAborted(found, signal) : found;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new UpstreamError('unauthorized', error.message, { cause: error });
  }
}
