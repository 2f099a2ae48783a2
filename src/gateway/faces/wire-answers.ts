import { rpcCode } from '../rpc/protocol.ts';
import { WireError } from '../rpc/wire-error.ts';

/** The spec's way to make a client begin again (2025-11-25 basic/transports.mdx#session-management). */
export function sessionLost(): WireError {
  return new WireError(404, rpcCode.invalidRequest, 'Session not found: initialize again.');
}

/** The body, or one message of a batch, is none. */
export function notAMessage(code: 'parse' | 'shape' | 'batch'): WireError {
  if (code === 'parse') return new WireError(400, rpcCode.parse, 'Parse error: the body is not JSON.');
  const what =
    code === 'batch'
      ? 'batches are not taken: send one message for each POST'
      : 'the body is not a JSON-RPC 2.0 message';
  return new WireError(400, rpcCode.invalidRequest, `Invalid request: ${what}.`);
}

/** Methods that a server answers by something of its own: where that speaks of a method, it means another one. */
const handled = new Set(['tools/call', 'prompts/get', 'resources/read']);

/**
 * Errors of the transport have their own status in the modern era, an unknown method among them; all others come with
 * 200, those of tools, prompts and resources too, whatever their code (2026-07-28 basic/transports/streamable-http.mdx).
 */
export function modernStatus(code: number | undefined, method: string): number {
  if (code === rpcCode.methodNotFound) return handled.has(method) ? 200 : 404;
  return code === rpcCode.headerMismatch ||
    code === rpcCode.missingCapability ||
    code === rpcCode.unsupportedVersion
    ? 400
    : 200;
}
