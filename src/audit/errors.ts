// Every error that this feature answers with.
import { AppError } from '../platform/errors.ts';

/** 400: a cursor that no list of ours gave out. */
export function cursorInvalid(): AppError {
  return new AppError(
    'cursor_invalid',
    400,
    'The cursor is not one that this list gave out; start without one.',
  );
}

/** At start: the folder for records that wait for the database cannot be used. */
export function spillUnwritable(dir: string, cause: unknown): AppError {
  const message = `Records cannot be kept in ${dir} while the database is away: make it a folder that Toolgate may write to.`;
  return new AppError('spill_unwritable', 500, message, { cause });
}

/** 404: personal data is asked for of what is no person. */
export function noPerson(email: string): AppError {
  return new AppError('not_a_person', 404, `${email} is not the address of a person.`);
}
