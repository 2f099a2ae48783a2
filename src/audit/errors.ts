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

/** 400: what should be the public key of an installation is none. */
export function anchorKeyInvalid(): AppError {
  const message =
    'A key of anchors is an Ed25519 public key in the form that GET /audit/head tells (SPKI in base64); this is none.';
  return new AppError('anchor_key_invalid', 400, message);
}

/** A line of a file is not one of an export of changes. */
export function exportUnreadable(file: string, line: number): AppError {
  const message = `Line ${line} of ${file} is not one of an export of changes; make it with: toolgate audit export`;
  return new AppError('export_unreadable', 400, message);
}

/** A file of records or anchors cannot be read. */
export function fileUnreadable(file: string, cause: unknown): AppError {
  return new AppError('file_unreadable', 400, `${file} cannot be read.`, { cause });
}
