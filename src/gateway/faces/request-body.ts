import type { IncomingMessage } from 'node:http';
import { rpcCode } from '../rpc/protocol.ts';
import { WireError } from '../rpc/wire-error.ts';

/** The whole body as text; a 413 once it is larger than `limit` bytes. */
export function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers['content-length']) > limit) return reject(tooLarge(limit));
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      // The rest is let through unread; a paused body would hold its connection.
      req.off('data', take);
      reject(tooLarge(limit));
    };
    req.on('data', take);
    req.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    req.on('error', reject);
    // Every request closes in the end; an error, and its stack trace, is made only for one that broke off.
    req.on('close', () => {
      if (!req.complete)
        reject(new Error('the client closed the connection before the request was complete'));
    });
  });
}

function tooLarge(limit: number): WireError {
  return new WireError(
    413,
    rpcCode.invalidRequest,
    `The message is larger than the ${limit} bytes that the gate takes.`,
  );
}
