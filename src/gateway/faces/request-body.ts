import type { IncomingMessage } from 'node:http';
import { WireError } from './classify.ts';
import { rpcCode } from '../rpc/protocol.ts';

/** The whole body as text; a 413 once it is larger than `limit` bytes. */
export function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers['content-length']) > limit) return reject(tooLarge(limit));
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else {
        req.pause();
        reject(tooLarge(limit));
      }
    });
    req.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    req.on('error', reject);
    req.on('close', () => reject(new Error('the client closed the connection before the request was complete')));
  });
}

function tooLarge(limit: number): WireError {
  return new WireError(413, rpcCode.invalidRequest, `The message is larger than the ${limit} bytes that the gate takes.`);
}
