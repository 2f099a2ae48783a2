// Every error that this feature answers with.
import { AppError } from '../platform/errors.ts';

/** 404: there is no pin of that id; its server may have been deleted. */
export function pinNotFound(id: string): AppError {
  return new AppError('pin_not_found', 404, `There is no pin ${id}.`);
}

/** 409: what waits for the server is not what the caller has seen. */
export function pinsChanged(server: string): AppError {
  return new AppError(
    'pins_changed',
    409,
    `What waits for the server ${server} has changed since that list was made; look at it again.`,
  );
}

/** 404: there is no such server. */
export function serverNotFound(id: string): AppError {
  return new AppError('server_not_found', 404, `There is no server ${id}.`);
}

/** 400: a cursor that no list of ours gave out. */
export function cursorInvalid(): AppError {
  return new AppError(
    'cursor_invalid',
    400,
    'The cursor is not one that this list gave out; start without one.',
  );
}
