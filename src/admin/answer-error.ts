import { AppError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { InvalidRequest } from './errors.ts';

/** The one place of the admin API where an error becomes an answer. What is not an AppError keeps its text to the log. */
export function answerError(error: unknown, requestId: string, log: Log): Response {
  const known =
    error instanceof AppError
      ? error
      : new AppError('internal_error', 500, 'Something went wrong here.', { cause: error });
  if (known.status >= 500)
    log.error(
      { requestId, code: known.code, err: known.cause ?? known, detail: known.detail },
      'admin request failed',
    );
  else if (known.detail !== undefined)
    log.info({ requestId, code: known.code, detail: known.detail }, 'admin request refused');
  const { code, message } = known;
  const details = known instanceof InvalidRequest ? { details: known.details } : {};
  return Response.json(
    { error: { code, message, requestId, ...details } },
    { status: known.status, headers: known.headers },
  );
}
