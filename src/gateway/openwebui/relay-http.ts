import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { abandon, type Answered, answered, ClientLeft, Unsent } from './attempt.ts';
import { openWebUiTrouble, uploadStalled } from './refusals.ts';
import { requestTrailers } from './request-headers.ts';
import { responseHeaders, responseTrailers } from './response-headers.ts';
import type { Upstream } from './upstream.ts';

/** How long the rest of a request is read that was answered already, in milliseconds. */
const lingerMs = 5_000;

export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly upstream: Upstream;
  /** Of the request on its way, its framing included. */
  readonly headers: readonly string[];
  readonly dropped: readonly string[];
}

/** How an exchange ended. */
export interface Ended {
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly how: 'complete' | 'client-left' | 'broken-off';
}

/**
 * Sends the request on and the answer back, each as it comes: neither is kept, and whoever is slow slows the other end.
 * Rejects with a `Refusal` as long as nothing was said to the client.
 */
export async function relayHttp(exchange: Exchange): Promise<Ended> {
  const { req, res } = exchange;
  const count = { in: 0 };
  if (hasBodyOf(req)) {
    req.on('data', (part: Buffer) => {
      count.in += part.length;
    });
    req.pause();
  }
  const found = await sent(exchange);
  if (found.kind === 'socket') {
    // Nobody asked for it, so nobody would know what it says.
    found.socket.destroy();
    throw openWebUiTrouble('broken');
  }
  const { bytesOut, how } = await sendAnswer(found.answer, req, res);
  return { status: found.answer.statusCode ?? 0, bytesIn: count.in, bytesOut, how };
}

async function sent(exchange: Exchange): Promise<Answered> {
  const { req } = exchange;
  const hasBody = hasBodyOf(req);
  if (hasBody || !['GET', 'HEAD', 'OPTIONS'].includes(req.method ?? '')) return attempt(exchange, 'once');
  try {
    return await attempt(exchange, 'again');
  } catch (error) {
    if (error instanceof Unsent) return attempt(exchange, 'once');
    throw error;
  }
}

function attempt(exchange: Exchange, use: 'again' | 'once'): Promise<Answered> {
  const { req, res, upstream, headers } = exchange;
  // While it was found out who asks; nothing would be told of it later.
  if (res.closed) throw new ClientLeft();
  const { method = 'GET', url = '/' } = req;
  const out = upstream.request({ method, path: url, headers, use });
  const leave = () => abandon(out, new ClientLeft());
  // Also when the whole answer has been sent: then there is nothing left to end.
  res.once('close', leave);
  const head = answered(out, upstream);
  if (hasBodyOf(req)) sendBody(exchange, out);
  else out.end();
  return head.catch((error: unknown) => {
    res.off('close', leave);
    throw error;
  });
}

export function hasBodyOf({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Sends it on as fast as Open WebUI takes it. As long as that is too slow, nobody waits for the client. */
function sendBody({ req, res, upstream, dropped }: Exchange, out: ClientRequest): void {
  const stalled = () => void (res.headersSent ? req.destroy() : abandon(out, uploadStalled()));
  const timer = setTimeout(
    () => (out.writableNeedDrain ? timer.refresh() : stalled()),
    upstream.times.stalledMs,
  );
  req.on('data', (part: Buffer) => {
    // An answer may come before all of the request was read: the rest of it goes nowhere.
    if (out.destroyed) return;
    timer.refresh();
    if (!out.write(part)) req.pause();
  });
  out.on('drain', () => {
    timer.refresh();
    req.resume();
  });
  req.resume();
  req.once('end', () => {
    const trailers = requestTrailers(req, dropped);
    if (trailers.length > 0 && req.headers['transfer-encoding'] !== undefined) out.addTrailers(trailers);
    out.end();
  });
  // A request that breaks off must not look complete to Open WebUI.
  req.once('close', () => req.complete || out.destroy());
  out.once('close', () => req.resume());
  for (const [stream, event] of [
    [req, 'end'],
    [req, 'close'],
    [out, 'close'],
  ] as const)
    stream.once(event, () => clearTimeout(timer));
}

/**
 * An answer that came before all of the request was read is lost when the connection ends at once: what the client still
 * sends would be answered with a reset.
 */
function untilRead(req: IncomingMessage): Promise<void> {
  if (req.complete || !hasBodyOf(req)) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, lingerMs);
    req.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Resolves when the answer is complete, or one of the two ends is gone. */
export function sendAnswer(
  answer: IncomingMessage,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Pick<Ended, 'bytesOut' | 'how'>> {
  let bytesOut = 0;
  if (res.closed) {
    answer.destroy();
    return Promise.resolve({ bytesOut, how: 'client-left' });
  }
  answer.on('data', (part: Buffer) => {
    bytesOut += part.length;
  });
  const ended = new Promise<Ended['how']>((resolve) => {
    // Cut short on both sides: an answer must not look complete when it is not.
    const breakOff = () => {
      if (answer.complete) return;
      const isLeft = res.destroyed || (req.destroyed && !req.complete);
      resolve(isLeft ? 'client-left' : 'broken-off');
      res.destroy();
    };
    answer.once('error', breakOff);
    answer.once('close', breakOff);
    res.once('finish', () => resolve('complete'));
    res.once('close', () => {
      resolve('client-left');
      answer.destroy();
    });
    answer.once('end', () => {
      const trailers = responseTrailers(answer);
      if (trailers.length > 0 && res.chunkedEncoding) res.addTrailers(trailers);
      void untilRead(req).then(() => res.end());
    });
  });
  // The rest of the request will not be read, so nothing else can come on this connection.
  if (!req.complete && hasBodyOf(req)) res.shouldKeepAlive = false;
  // Whose page asked changes what the gate adds, whatever else Open WebUI names.
  const vary = res.hasHeader('vary') ? ['Vary', String(res.getHeader('vary'))] : [];
  res.writeHead(answer.statusCode ?? 502, [...responseHeaders(answer), ...vary]);
  // Without a length it is a stream, and its head is news already.
  if (answer.headers['content-length'] === undefined) res.flushHeaders();
  answer.pipe(res, { end: false });
  return ended.then((how) => ({ bytesOut, how }));
}
