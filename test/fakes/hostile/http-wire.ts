import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { RpcMessage, RpcRequest, Wire } from './wire.ts';

export const eventStreamHeaders = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' };

export type Options = Readonly<Record<string, string | number>>;

/** An address with a fake's options as its query. */
export function withOptions(address: string, options: Options = {}): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, String(value));
  return url.href;
}

/** The body of a POST, taken apart. Batches are not understood. */
export async function readMessage(
  incoming: IncomingMessage,
): Promise<{ message: RpcMessage; request?: RpcRequest }> {
  const message = (await json(incoming)) as RpcMessage;
  const isRequest = typeof message['method'] === 'string' && message['id'] !== undefined;
  return isRequest ? { message, request: message as unknown as RpcRequest } : { message };
}

/** Request headers as one string each. */
export function seenHeaders(incoming: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
}

/** Frames as events of a stream whose head has been sent. */
export function eventWire(response: ServerResponse, about: Pick<Wire, 'seen' | 'signal'>): Wire {
  let begun = false;
  return {
    ...cutting(response, about),
    sendText: (text) => void response.write(eventOf(text)),
    sendBytes: async (text) => {
      await writeWithRoom(response, begun ? text : `data: ${text}`, about.signal);
      begun = true;
    },
  };
}

/** The first frame as the JSON body of the response; there is no place for a second. */
export function bodyWire(response: ServerResponse, about: Pick<Wire, 'seen' | 'signal'>): Wire {
  const begin = () => {
    if (!response.headersSent) response.writeHead(wire.status, { 'Content-Type': 'application/json' });
  };
  const wire: Wire = {
    ...cutting(response, about),
    sendText: (text) => {
      if (response.writableEnded) return;
      begin();
      response.end(text);
    },
    sendBytes: (text) => {
      begin();
      return writeWithRoom(response, text, about.signal);
    },
  };
  return wire;
}

export function eventOf(text: string): string {
  return `event: message\ndata: ${text}\n\n`;
}

/** Aborts when the client closes before the answer is complete. */
export function closedEarly(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

function cutting(response: ServerResponse, { seen, signal }: Pick<Wire, 'seen' | 'signal'>) {
  return {
    seen,
    signal,
    status: 200,
    breakOff: () => void response.write('', () => response.destroy()),
    crash: () => void response.socket?.resetAndDestroy(),
  };
}

async function writeWithRoom(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  // An aborted wait means that the client has gone, which whoever writes sees by the same signal.
  if (!response.write(text)) await once(response, 'drain', { signal }).catch(() => undefined);
}
