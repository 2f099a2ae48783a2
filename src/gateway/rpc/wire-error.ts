/** A message that cannot be served as it stands, in the terms of the transport. */
export class WireError extends Error {
  readonly status: number;
  readonly code: number;
  readonly data: unknown;

  constructor(status: number, code: number, message: string, data?: unknown) {
    super(message);
    this.name = 'WireError';
    this.status = status;
    this.code = code;
    this.data = data;
  }
}
