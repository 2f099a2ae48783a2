// Every error that this feature answers with. Codes are stable; messages may be shown to anybody who may ask.
import { AppError } from '../platform/errors.ts';

type Noun = 'user' | 'group' | 'server' | 'tenant';

/** 404 `user_not_found`, `group_not_found`, `server_not_found` or `tenant_not_found`. */
export function notFound(noun: Noun, id: string): AppError {
  return new AppError(`${noun}_not_found`, 404, `There is no ${noun} ${id}.`);
}

/** 409 `user_exists`, `group_exists`, `server_exists` or `tenant_exists`. */
export function alreadyExists(noun: Noun, id: string): AppError {
  return new AppError(`${noun}_exists`, 409, `The ${noun} ${id} exists already; change it instead.`);
}

/** 404: there is nothing to take away. */
export function membershipNotFound(user: string, group: string): AppError {
  return new AppError('membership_not_found', 404, `${user} is not in the group ${group}.`);
}

/** 404: there is nothing to take back. */
export function grantNotFound(holder: string, server: string): AppError {
  return new AppError('grant_not_found', 404, `${holder} has no grant of the server ${server}.`);
}

/** 404: the tenant uses the server's own URL already. */
export function endpointNotFound(tenant: string, server: string): AppError {
  return new AppError(
    'endpoint_not_found',
    404,
    `The tenant ${tenant} has no endpoint of its own for the server ${server}.`,
  );
}

/** 404: the tenant has no values of its own there. */
export function variablesNotFound(tenant: string, server: string): AppError {
  const where = server === '*' ? 'that hold for every server' : `for the server ${server}`;
  return new AppError('variables_not_found', 404, `The tenant ${tenant} has no variables ${where}.`);
}

/** 400: a placeholder that is misspelled, or stands where none may. `why` is read after "it". */
export function placeholderNotAllowed(where: string, why: string): AppError {
  return new AppError('placeholder_not_allowed', 400, `${where} cannot be used: it ${why}.`);
}

/** 400: with these values the server could not be reached. `why` is read after the name of the server. */
export function variableNotAllowed(server: string, tenant: string | null, why: string): AppError {
  const whose = tenant === null ? '' : ` for the tenant ${tenant}`;
  return new AppError('variable_not_allowed', 400, `The server ${server}${whose} ${why}.`);
}

/** 409: only the identity provider can end what it states, so an admin's removal would come back at the next sign-in. */
export function membershipFromProvider(user: string, group: string): AppError {
  const message = `${user} is in the group ${group} because the sign-in provider says so; remove it there.`;
  return new AppError('membership_from_provider', 409, message);
}

/** 400: a server that is started by a command has no URL and no headers. */
export function notARemoteServer(id: string): AppError {
  const message = `The server ${id} is started by a command, so it has no URL, no headers and no accounts to set.`;
  return new AppError('not_a_remote_server', 400, message);
}

/** 409: what a command of the config file is started with is changed there. */
export function keptInFile(id: string, what: string): AppError {
  const message = `The ${what} of the server ${id} stand in the config file; change them there, or set values for tenants.`;
  return new AppError('kept_in_file', 409, message);
}

/** 400: whoever could write `${env:…}` here could read the secrets of the process. */
export function envNotAllowed(where: string): AppError {
  const message = `\${env:…} is expanded in the config file only, so it cannot stand in ${where}; use \${credential} and set a key.`;
  return new AppError('env_not_allowed', 400, message);
}

/** 409: the stored row is from another version or was edited by hand. */
export function serverUnreadable(id: string): AppError {
  const message = `The stored definition of the server ${id} cannot be read; delete the server and add it again.`;
  return new AppError('server_unreadable', 409, message);
}

/** 400: with the server's id before it the name would not fit model APIs. */
export function toolNameTooLong(server: string, name: string, room: number): AppError {
  const message = `"${name}" is too long: tools of the server ${server} may have names of ${room} characters.`;
  return new AppError('tool_name_too_long', 400, message);
}

/** 400: a cursor that no list of ours gave out. */
export function cursorInvalid(): AppError {
  return new AppError(
    'cursor_invalid',
    400,
    'The cursor is not one that this list gave out; start without one.',
  );
}
