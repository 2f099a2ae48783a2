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

/** 404: there is nothing to remove. */
export function credentialNotFound(key: Binding): AppError {
  return new AppError('credential_not_found', 404, `There is no credential ${describe(key)}.`);
}

/** The stored credential cannot be opened; `why` also says how to mend it. */
export function credentialUnreadable(key: Binding, why: string, cause?: unknown): AppError {
  return new AppError('credential_unreadable', 500, `The credential ${describe(key)} ${why}.`, { cause });
}

/** 400: the secret holds what cannot be sent; `why` names it and where. */
export function credentialMalformed(why: string): AppError {
  return new AppError('credential_malformed', 400, `The credential ${why}; store it again without it.`);
}

/** 400: `${credential:…}` with something that no credential can be called. */
export function placeholderInvalid(name: string): AppError {
  const message = `"\${credential:${name}}" names no credential: a name is 1 to 64 characters of A-Z, a-z, 0-9, "_", "." and "-".`;
  return new AppError('credential_placeholder_invalid', 400, message);
}

/** At start: what `source` holds is no key. */
export function masterKeyInvalid(source: string): AppError {
  const message = `${source} is not a master key: it must be 32 bytes in base64; make one with "openssl rand -base64 32".`;
  return new AppError('master_key_invalid', 500, message);
}

/** At start: the key file can be neither read nor made. */
export function masterKeyUnusable(file: string, cause: unknown): AppError {
  const message = `The master key in ${file} cannot be read or made: let Toolgate write to that folder, or set TOOLGATE_MASTER_KEY.`;
  return new AppError('master_key_unusable', 500, message, { cause });
}

function describe({ owner, server, name }: Binding): string {
  const whose = owner.id === null ? owner.level : `${owner.level} ${owner.id}`;
  return `"${name}" of the server ${server} (${whose})`;
}
