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

/** 404: the catalog has no such entry. */
export function entryNotFound(id: string): AppError {
  return new AppError(
    'catalog_entry_not_found',
    404,
    `The catalog has no entry ${id}; look for one with a search.`,
  );
}

/** 400: the entry cannot be reached, or signed in to, in this way. */
export function formNotFound(entry: string, ways: readonly string[]): AppError {
  const message = `The entry ${entry} has no such way, or not with this kind of signing in; it has: ${ways.join(', ')}.`;
  return new AppError('catalog_form_not_found', 400, message);
}

/** 400: a field that is not there, is missing, or has a value that it cannot take. `why` never quotes the value. */
export function valuesInvalid(faults: readonly string[]): AppError {
  return new AppError('catalog_values_invalid', 400, `Values are wrong: ${faults.join('; ')}.`);
}

/** 409: the id is taken by another server. */
export function serverTaken(id: string): AppError {
  const message = `There is a server ${id} already that did not come from this entry in this way; choose another id with "as".`;
  return new AppError('server_exists', 409, message);
}

/** 409: what is installed has no place for these fields. */
export function notAskedFor(server: string, names: readonly string[]): AppError {
  const message = `The server ${server} was installed without ${names.join(', ')}; install it anew with "replace", or under another id with "as".`;
  return new AppError('catalog_fields_not_installed', 409, message);
}

/** 400: not one exact version. */
export function versionInvalid(name: string): AppError {
  const message = `The version of ${name} must be exact, such as 1.2.3, or for an image a version or a digest (sha256:…).`;
  return new AppError('catalog_version_invalid', 400, message);
}

/** 400: a way that fetches nothing has no version. */
export function versionNotNeeded(): AppError {
  return new AppError(
    'catalog_version_invalid',
    400,
    'Nothing is fetched this way, so leave the version out.',
  );
}

/** 409: a program that is installed on the machine is whatever it is; only an operator may name one. */
export function notPinned(program: string): AppError {
  const message = `Nobody pins the program ${program}, so it is not installed from here; write the server into the config file.`;
  return new AppError('catalog_not_pinned', 409, message);
}

/** 503: nobody can say which version is the newest one. */
export function registryUnavailable(host: string, name: string, cause: unknown): AppError {
  const message = `The registry${host === '' ? '' : ` ${host}`} cannot be asked for the version of ${name}; try again later, or give the version yourself in "version".`;
  return new AppError('registry_unavailable', 503, message, { cause });
}

/** 404: the registry does not have it. */
export function noSuchVersion(name: string, version: string | undefined): AppError {
  const what = version === undefined ? name : `the version ${version} of ${name}`;
  return new AppError(
    'version_not_found',
    404,
    `The registry does not have ${what}; check the name, or give another version.`,
  );
}

/** 502: what answers there is no registry. */
export function strangeAnswer(registry: string, name: string): AppError {
  const message = `The answer of ${registry} about ${name} could not be read; give the version yourself in "version".`;
  return new AppError('registry_answer_strange', 502, message);
}

/** 429: each attempt may start a process. */
export function tooManyTries(): AppError {
  return new AppError(
    'too_many_tries',
    429,
    'Other entries are being tried at the moment; try again in a moment.',
  );
}
