import type { Readable } from 'node:stream';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { UpstreamError } from './contract.ts';

export interface ServerSentEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string;
}

/**
 * Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) until the stream
 * ends or `onEvent` returns true. `onRetry` gets the delay the server asks for, in milliseconds.
 */
export async function readEvents(
  body: Readable,
  limits: { readonly name: string; readonly maxBytes: number },
  on: { onEvent(event: ServerSentEvent): boolean; onRetry(milliseconds: number): void },
): Promise<void> {
  let done = false;
  let unfinished = 0;
  const parser = createParser({
    onEvent: ({ id, event, data }: EventSourceMessage) => {
      unfinished = 0;
      if (!done) done = on.onEvent({ id, event, data });
    },
    onRetry: on.onRetry,
    onComment: (comment) => {
      // Keep-alives must not add up. No more than the comment itself is forgiven: between comments an event may
      // grow without ever ending.
      unfinished -= Buffer.byteLength(comment) + ':\n'.length;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const bytes = chunk as Buffer; // a body without an encoding yields buffers
    unfinished += bytes.length;
    parser.feed(decoder.decode(bytes, { stream: true }));
    if (done) return;
    if (unfinished > limits.maxBytes) {
      throw new UpstreamError(
        'too_large',
        `The server "${limits.name}" sent a message larger than ${limits.maxBytes} bytes.`,
      );
    }
  }
}
