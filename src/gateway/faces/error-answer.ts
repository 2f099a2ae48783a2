import { AppError } from '../../platform/errors.ts';
import type { Call } from '../call.ts';
import { Refusal } from '../refusal.ts';
import { errorText, type RawId, resultText } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import { WireError } from '../rpc/wire-error.ts';
import { answerForClient } from './client-ways.ts';

export interface ErrorAnswer {
  readonly status: number;
  /** The whole body, or the last message of a stream that has begun. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What an error looks like to an MCP client. Text of errors that are not made for it stays here. */
export function errorAnswer(error: unknown, call: Call): ErrorAnswer {
  return answerForClient(error, call, plainAnswer(error, call));
}

function plainAnswer(error: unknown, call: Call): ErrorAnswer {
  const rawId = call.message?.kind === 'request' ? call.message.rawId : null;
  if (error instanceof WireError) return answer(error.status, rawId, error);
  if (error instanceof Refusal) return refusalAnswer(error, call, rawId);
  if (error instanceof AppError) return appErrorAnswer(error, call, rawId);
  return answer(500, rawId, {
    code: rpcCode.internal,
    message: `Internal error (request ${call.requestId})`,
  });
}

/** What a model or a person can act on goes in band: the Python SDK 1.x hangs on HTTP errors to `tools/call`. */
function refusalAnswer(refusal: Refusal, call: Call, rawId: RawId | null): ErrorAnswer {
  const { status, rpcCode: code, message, data } = refusal;
  if (call.message?.kind === 'request' && call.message.method === 'tools/call' && rawId !== null) {
    const type = call.era === 'modern' ? ',"resultType":"complete"' : '';
    const result = `{"content":[{"type":"text","text":${JSON.stringify(message)}}],"isError":true${type}}`;
    return { status: 200, text: resultText(rawId, result), headers: {} };
  }
  const wait = (data as { retryAfter?: number } | undefined)?.retryAfter ?? 1; // only rateLimited() sets it
  const headers: Record<string, string> =
    refusal.outcome === 'rate_limited' ? { 'retry-after': String(wait) } : {};
  return { ...answer(status, rawId, { code, message, data }), headers };
}

/** Before the message was read nobody knows what it asked, so the answer is that of the API. */
function appErrorAnswer(error: AppError, call: Call, rawId: RawId | null): ErrorAnswer {
  const { status, code, message, headers } = error;
  if (rawId !== null)
    return { ...answer(status, rawId, { code: rpcCode.internal, message, data: { code } }), headers };
  return { status, text: JSON.stringify({ error: { code, message, requestId: call.requestId } }), headers };
}

function answer(
  status: number,
  rawId: RawId | null,
  { code, message, data }: { code: number; message: string; data?: unknown },
): ErrorAnswer {
  // An absent `data` is left out of the JSON.
  return { status, text: errorText(rawId, JSON.stringify({ code, message, data })), headers: {} };
}
