import { randomUUID } from 'node:crypto';
import { type Call, type Gate, requestOf } from '../call.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { Refusal } from '../refusal.ts';
import { upstreamFailed } from '../refusals.ts';
import { isObject, type RpcResponse } from '../rpc/message.ts';
import { type Era, meta, rpcCode } from '../rpc/protocol.ts';
import type { Target } from '../upstreams/target.ts';
import { inputRequired } from './parked-call.ts';
import { missingFor } from './questions.ts';
import { maySuspend, subjectOf } from './retry.ts';

/**
 * Errors that speak of the hop between gate and server are the gate's own affair: the caller gets what they mean for
 * it. Undefined: the error is for the caller as it stands. Throws Refusals.
 */
export function translateHopError(
  call: Call,
  gate: Gate,
  target: Target,
  { response, south }: { readonly response: RpcResponse; readonly south: Era },
): RpcResponse | undefined {
  const server = target.server.id;
  const { code, data } = response.error ?? {};
  // Codes that the modern era gave a meaning to are a legacy server's own, and its callers know what it means.
  if (south === 'legacy' && call.era === 'legacy') return undefined;
  if (code === rpcCode.unsupportedVersion)
    throw broken(server, `The server "${server}" no longer speaks the revision of MCP it did.`);
  if (code === rpcCode.headerMismatch && call.era === 'legacy')
    throw broken(server, `The server "${server}" did not accept the headers of the request.`);
  if (code === rpcCode.missingCapability && south === 'modern') return missingCapability(call, server, data);
  const wantsPage = code === rpcCode.urlElicitationRequired && south === 'legacy' && call.era === 'modern';
  return wantsPage && maySuspend(requestOf(call).method) ? pageFirst(call, gate, target, data) : undefined;
}

function broken(server: string, message: string): Refusal {
  return upstreamFailed(server, new UpstreamError('protocol', message));
}

/** The caller's own lack is the caller's to hear of; anything else is said in words. */
function missingCapability(call: Call, server: string, data: unknown): undefined {
  const required =
    isObject(data) && isObject(data['requiredCapabilities']) ? data['requiredCapabilities'] : {};
  const envelope = requestOf(call).params?.['_meta'];
  const declared = isObject(envelope) ? envelope[meta.clientCapabilities] : undefined;
  const lacking = Object.keys(required).filter((name) => !covers(declared, name, required[name]));
  if (call.era === 'modern' && lacking.length > 0) return undefined;
  const names = Object.keys(required).join(', ').slice(0, 200) || 'something';
  throw new Refusal(
    'missing_capability',
    `The server "${server}" needs a client that can do more than this one said it can: ${names}.`,
    { outcome: 'upstream_error', status: 200, rpcCode: rpcCode.internal },
  );
}

/** Does what was declared hold the capability, with every part that is required of it? */
function covers(declared: unknown, name: string, required: unknown): boolean {
  const own = isObject(declared) ? declared[name] : undefined;
  if (!isObject(own)) return own !== undefined && !isObject(required);
  return !isObject(required) || Object.entries(required).every(([part, more]) => covers(own, part, more));
}

/** Most pages that a server may ask for at once. */
const mostPages = 20;

/**
 * `URLElicitationRequired` (2025-11-25 client/elicitation.mdx): the pages become questions, and the retry sends the
 * request anew.
 */
function pageFirst(call: Call, gate: Gate, target: Target, data: unknown): RpcResponse {
  const server = target.server.id;
  const listed = isObject(data) && Array.isArray(data['elicitations']) ? data['elicitations'] : [];
  const pages = listed.slice(0, mostPages).flatMap((page) => {
    const { url, message } = isObject(page) ? page : {};
    return typeof url === 'string'
      ? [{ mode: 'url', url, message: typeof message === 'string' ? message : '' }]
      : [];
  });
  const [first] = pages;
  if (!first) throw broken(server, `The server "${server}" wants a page opened and names none.`);
  if (missingFor('elicitation/create', first, call.capabilities) !== undefined)
    throw new Refusal(
      'input_required',
      `The server "${server}" needs a page to be opened first, which this client cannot do for it: ${first.url.slice(0, 2_000)}`,
      { outcome: 'upstream_error', status: 200, rpcCode: rpcCode.internal },
    );
  const requests = Object.fromEntries(
    pages.map((params) => [randomUUID(), { method: 'elicitation/create', params }]),
  );
  const state = gate.parked.stateToSendAgain(subjectOf(call, target));
  return inputRequired(JSON.stringify(requests), state);
}
