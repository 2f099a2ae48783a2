/**
 * An error that may leave the process. `code` is stable and documented in docs/errors.md, `message`
 * is one plain sentence that is safe to show, `detail` goes to the log only.
 */
export class AppError extends Error {
  readonly code: string;
  readonly status: number;
  readonly detail: unknown;
  /** Extra response headers, e.g. `WWW-Authenticate` on a 401. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: string,
    status: number,
    message: string,
    options: { detail?: unknown; cause?: unknown; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = status;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
  }
}

/** Narrows an unknown thrown value to its message, for logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why a credential was refused: a word that the log has, and the caller is not told. Undefined for other errors. */
export function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof AppError) || error.status !== 401) return undefined;
  const { reason } = Object(error.detail) as { reason?: unknown };
  return typeof reason === 'string' ? reason : undefined;
}
