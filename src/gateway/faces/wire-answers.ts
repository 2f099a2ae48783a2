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

/** Errors of the transport have their own status in the modern era; all others come with 200. */
export function modernStatus(code: number | undefined): number {
  if (code === rpcCode.methodNotFound) return 404;
  return code === rpcCode.headerMismatch ||
    code === rpcCode.missingCapability ||
    code === rpcCode.unsupportedVersion
    ? 400
    : 200;
}
