import type { Outcome } from '../audit/contract.ts';

/**
 * The gate's own no, or its report that a server gave no answer. `message` is one plain sentence for the
 * person or the model that called; faces decide how it travels.
 */
export class Refusal extends Error {
  /** Stable code, for records. */
  readonly code: string;
  readonly outcome: Outcome;
  /** HTTP status where the face uses one. */
  readonly status: number;
  /** JSON-RPC code for requests that cannot carry `isError`. */
  readonly rpcCode: number;
  readonly data: unknown;

  constructor(
    code: string,
    message: string,
    as: { outcome: Outcome; status: number; rpcCode: number; data?: unknown; cause?: unknown },
  ) {
    super(message, { cause: as.cause });
    this.name = 'Refusal';
    this.code = code;
    this.outcome = as.outcome;
    this.status = as.status;
    this.rpcCode = as.rpcCode;
    this.data = as.data;
  }
}
