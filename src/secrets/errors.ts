// Every error that this feature answers with. None repeats a secret or a part of one.
import { AppError } from '../platform/errors.ts';
import type { Binding } from './binding.ts';

/** 404: nothing can be stored for a tenant that is not there. */
export function tenantNotFound(tenant: string): AppError {
  return new AppError('tenant_not_found', 404, `There is no tenant ${tenant}.`);
}

/** 404: nothing can be stored for a server that is not there. */
export function serverNotFound(server: string): AppError {
  return new AppError('server_not_found', 404, `There is no server ${server}.`);
}

/** 404: nothing can be stored for a group that is not there. */
export function groupNotFound(group: string): AppError {
  return new AppError('group_not_found', 404, `There is no group ${group}.`);
}

/** 404: nothing can be stored for a user whom nobody has added yet. */
export function userNotFound(user: string): AppError {
  return new AppError('user_not_found', 404, `There is no user ${user}; add the user first.`);
}

/** 404: there is nothing to remove. */
export function credentialNotFound(key: Binding): AppError {
  return new AppError('credential_not_found', 404, `There is no credential ${describe(key)}.`);
}

/** The stored credential cannot be opened; `why` also says how to mend it. */
export function credentialUnreadable(key: Binding, why: string, detail?: unknown): AppError {
  return new AppError('credential_unreadable', 500, `The credential ${describe(key)} ${why}.`, { detail });
}

/** Its text is not what was sealed for this place: `isRefusal` tells it from one whose master key is not here. */
export function credentialRefused(
  key: Binding,
  why = 'was changed or sealed for something else; store it again',
): AppError {
  return credentialUnreadable(key, why, refused);
}

const refused = 'what is stored there was not sealed for it';

export function isRefusal(error: unknown): error is AppError {
  return error instanceof AppError && error.detail === refused;
}

/** 400: the secret holds what cannot be sent; `why` names it and where. */
export function credentialMalformed(why: string, mend = 'store it again without it'): AppError {
  return new AppError('credential_malformed', 400, `The credential ${why}; ${mend}.`);
}

/** 400: what looks like a placeholder and is none. */
export function placeholderInvalid(text: string): AppError {
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  const message = `"${shown}" names no credential: write \${credential}, \${credential:NAME}, \${credential.url:NAME} or \${credential.basic:USER:PASSWORD}, where a name is 1 to 64 characters of A-Z, a-z, 0-9, "_", "." and "-".`;
  return new AppError('credential_placeholder_invalid', 400, message);
}

function describe({ owner, server, name }: Binding): string {
  const whose = owner.id === null ? owner.level : `${owner.level} ${owner.id}`;
  return `"${name}" of the server ${server} (${whose})`;
}
