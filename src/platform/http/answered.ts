// Tells of each request how it was answered, without being in its way.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a part finds out of a request while it serves it, for whoever is told of the answer. */
export interface Noted {
  /** The path with names of its parameters: `/mcp-admin/api/users/{email}`. */
  readonly template?: string;
  readonly principal?: string;
  readonly authSource?: string;
  /** Why it was refused: a stable code. */
  readonly reason?: string;
  /** Why a credential was refused, in the words of the log: nothing for whoever showed it. */
  readonly refusal?: string | undefined;
}

/** A request that was answered, or left by its client. */
export interface Answered extends Noted {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly milliseconds: number;
  readonly requestId: string;
  readonly clientIp: string;
  readonly method: string;
  readonly template: string;
  readonly userAgent: string | undefined;
  readonly status: number;
  /** The client was gone before the answer was complete. */
  readonly isCutOff: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const refusal = 'refusedAtTheDoor';
const addition = 'noted';

/** For the HTTP server: the request was refused before any part of the program saw it. */
export function tellRefused(res: ServerResponse, reason: string): void {
  res.emit(refusal, reason);
}

/** Adds to what is told of the answer. */
export function note(res: ServerResponse, noted: Noted): void {
  res.emit(addition, noted);
}

/** A request and what its path is called. */
export interface Watched {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly clientIp: string;
  readonly template: string;
  /** Whoever serves it tells of it otherwise: this does only when it was refused before. */
  readonly isToldElsewhere: boolean;
}

/** Calls back once, when the answer is out or its connection is gone. */
export function watchAnswer(
  { req, res, clientIp, template, isToldElsewhere }: Watched,
  tell: (answered: Answered) => void,
): void {
  const at = Date.now();
  const began = performance.now();
  const { method = '', headers, socket } = req;
  const sentBefore = socket.bytesWritten;
  let noted: Noted = {};
  const atClose = () =>
    tell({
      ...{ at, clientIp, method, template, ...noted },
      requestId: String(res.getHeader('x-request-id') ?? ''),
      milliseconds: performance.now() - began,
      userAgent: headers['user-agent'],
      status: res.statusCode,
      isCutOff: !res.writableFinished,
      bytesIn: Number(headers['content-length']) || 0,
      bytesOut: Math.max(0, socket.bytesWritten - sentBefore),
    });
  res.once(refusal, (reason: string) => {
    noted = { ...noted, reason };
    if (isToldElsewhere) res.once('close', atClose);
  });
  if (isToldElsewhere) return;
  res.on(addition, (more: Noted) => {
    noted = { ...noted, ...more };
  });
  res.once('close', atClose);
}
