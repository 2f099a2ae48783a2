import { setTimeout as delay } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { parseMessage } from '../rpc/message.ts';
import { type ConnectorOptions, UpstreamError } from './contract.ts';
import { readEvents } from './event-stream.ts';

type Answer = Dispatcher.ResponseData;

interface State {
  lastEventId: string;
  /** Until the next attempt, in milliseconds. */
  retry: number;
}

const firstRetry = 1_000;
const shortestRetry = 100;
const longestRetry = 30_000;

/**
 * The standalone stream of a legacy session (2025-11-25 basic/transports.mdx#listening-for-messages-from-the-server):
 * opened again whenever it ends, until the signal aborts. `open` sends the GET. A server that numbers its events says
 * what was missed; of any other that is told as a gap. Resolves when there is no such stream, or no such session.
 */
export async function keepListening(
  open: (headers: Readonly<Record<string, string>>) => Promise<Answer>,
  options: ConnectorOptions,
  signal: AbortSignal,
): Promise<void> {
  const { sink, name } = options;
  const state: State = { lastEventId: '', retry: firstRetry };
  let wasOpen = false;
  let missed = false;
  while (!signal.aborted) {
    const resuming = state.lastEventId !== '';
    const headers = { accept: 'text/event-stream', ...(resuming && { 'last-event-id': state.lastEventId }) };
    // A server that is away may be back.
    const answer = await open(headers).catch(() => undefined);
    if (answer && isStream(answer)) {
      if (missed && !resuming) sink.onGap?.();
      wasOpen = missed = true;
      state.retry = firstRetry;
      await drain(answer, state, options);
    } else {
      missed = true;
      await answer?.body.dump();
      if (answer?.statusCode === 404 && wasOpen)
        return sink.onExpired?.(
          new UpstreamError('session_expired', `The server "${name}" has ended the session.`, {
            status: 404,
          }),
        );
      // 405 and its like: the server has no such stream, which the specification allows.
      if (answer && !isTemporary(answer.statusCode)) return undefined;
    }
    await delay(state.retry, undefined, { signal }).catch(() => undefined);
    if (answer?.statusCode !== 200) state.retry = Math.min(state.retry * 2, longestRetry);
  }
  return undefined;
}

function isStream({ statusCode, headers }: Answer): boolean {
  return statusCode === 200 && String(headers['content-type']).startsWith('text/event-stream');
}

/** 409: the server still holds the stream that broke. */
function isTemporary(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 429;
}

async function drain(answer: Answer, state: State, options: ConnectorOptions): Promise<void> {
  const { name, maxResponseBytes, sink, log } = options;
  await readEvents(
    answer.body,
    { name, maxBytes: maxResponseBytes },
    {
      onRetry: (milliseconds) => {
        state.retry = Math.min(Math.max(milliseconds, shortestRetry), longestRetry);
      },
      onEvent: ({ id, data }) => {
        if (id) state.lastEventId = id;
        if (data.trim() === '') return false;
        const parsed = parseMessage(data);
        if (!parsed.ok) throw new UpstreamError('protocol', `The server "${name}" sent no JSON-RPC message.`);
        if (parsed.message.kind !== 'response') sink.onMessage(parsed.message);
        return false;
      },
    },
  ).catch((error: unknown) => log.debug({ err: error, server: name }, 'listening stream broke'));
}
