import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';

/** Room for the longest secret, each character of it written as three. */
const mostBytes = 70_000;

/** The fields of a form that was posted. Rejects with `form_invalid` (400) for anything else, and for what is too long. */
export async function readForm(req: IncomingMessage): Promise<URLSearchParams> {
  const type = req.headers['content-type'] ?? '';
  if (!/^application\/x-www-form-urlencoded\b/i.test(type))
    throw invalid(req, 'is of another kind than a form');
  return new URLSearchParams(await bodyOf(req));
}

function bodyOf(req: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const take = (part: Buffer) => {
      size += part.length;
      if (size <= mostBytes) return void parts.push(part);
      req.off('data', take);
      reject(invalid(req, 'is too long'));
    };
    req.on('data', take);
    req.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    req.on('error', reject);
    req.on('close', () => {
      if (!req.complete) reject(new Error('the client closed the connection before the form was complete'));
    });
  });
}

/** The rest is let through unread, and nothing else comes on this connection. */
function invalid(req: IncomingMessage, why: string): AppError {
  req.resume();
  return new AppError('form_invalid', 400, `What was sent ${why}; go back and try again.`, {
    headers: { connection: 'close' },
  });
}

/**
 * Was this sent by a page of ours? Browsers say so themselves, and no page can make them lie. `publicUrl` is the
 * address that people use; on a loopback address its other names count as well.
 */
export function isFromOwnPage(req: IncomingMessage, publicUrl: string): boolean {
  const { origin, host } = req.headers;
  const site = req.headers['sec-fetch-site'];
  if (origin === undefined || !URL.canParse(origin)) return false;
  if (site !== undefined && site !== 'same-origin') return false;
  const { origin: said, hostname, host: named } = new URL(origin);
  return said === new URL(publicUrl).origin || (isLoopbackName(hostname) && named === host);
}

export function isLoopbackName(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}
