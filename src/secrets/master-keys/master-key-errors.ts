// Every error about master keys. None repeats a key, wrapped or not.
import { AppError } from '../../platform/errors.ts';

/** At start: what `source` holds is no key. */
export function masterKeyInvalid(source: string, which = ''): AppError {
  const message = `${source} is not a master key${which}: it must be 32 bytes in base64 (make one with "openssl rand -base64 32"), or what "toolgate keys wrap" prints.`;
  return new AppError('master_key_invalid', 500, message);
}

/** At start: the key file can be neither read nor made. */
export function masterKeyUnusable(file: string, cause: unknown): AppError {
  const message = `The master key in ${file} cannot be read or made: let Toolgate write to that folder, or set TOOLGATE_MASTER_KEY.`;
  return new AppError('master_key_unusable', 500, message, { cause });
}

/** At start: there is not one key; `why` says what kept each from being had. */
export function noMasterKey(why: string): AppError {
  return new AppError('master_key_unusable', 500, `There is no master key to start with: ${why}`);
}

/** A key store did not unwrap or wrap a key; `why` is a sentence about it. */
export function keyStoreRefused(why: string): AppError {
  return new AppError('key_store_refused', 502, why);
}

/** 409: nothing can be sealed; `why` names the key that is needed. */
export function masterKeyMissing(why: string): AppError {
  const message = `${why} Give this process that key, or designate one that it has with "toolgate keys rotate".`;
  return new AppError('master_key_missing', 409, message);
}

/** 404: nothing was ever sealed under such a key, and it is not here. */
export function masterKeyUnknown(id: string): AppError {
  return new AppError('master_key_unknown', 404, `There is no master key ${id}.`);
}

/** 409: somebody would be left without the key. */
export function masterKeyNotEverywhere(why: string): AppError {
  return new AppError('master_key_not_everywhere', 409, why);
}

/** 409: the key was retired, and a retired one is never used again. */
export function masterKeyRetired(id: string): AppError {
  const message = `The master key ${id} is retired, and a retired key is not used again; take another one.`;
  return new AppError('master_key_retired', 409, message);
}

/** 409: the key may not go; `why` says what needs it. */
export function masterKeyNeeded(why: string): AppError {
  return new AppError('master_key_needed', 409, why);
}

/** 400: something that cannot be undone has to be confirmed by the id of the key. */
export function confirmationNeeded(why: string): AppError {
  return new AppError('confirmation_needed', 400, why);
}
