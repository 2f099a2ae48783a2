import type { LocalResult } from '../call.ts';
import { type RawId, responseText, resultParts, resultText, type RpcResponse } from '../rpc/message.ts';

/** JSON text, or the parts of it in UTF-8: a page of a list is the same for many, and goes to each without being copied. */
export type AnswerBody = string | readonly Buffer[];

export function answerBody(rawId: RawId, response: RpcResponse | LocalResult): AnswerBody {
  if (response.kind === 'response') return responseText(rawId, response);
  return response.parts ? resultParts(rawId, response.parts) : resultText(rawId, response.rawResult);
}

export function textOf(body: AnswerBody): string {
  return typeof body === 'string' ? body : Buffer.concat(body).toString('utf8');
}

/** In bytes of UTF-8. */
export function sizeOf(body: AnswerBody): number {
  return typeof body === 'string'
    ? Buffer.byteLength(body)
    : body.reduce((sum, part) => sum + part.length, 0);
}
