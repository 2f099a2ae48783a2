// Every error of this feature. 401 has one code on purpose: why a credential was refused is for the log alone.
import { AppError } from '../platform/errors.ts';

/**
 * A credential that does not count. `message` is told to the caller and must be the same for every reason that
 * would help somebody who guesses; `reason` and `facts` go to the log and never hold the credential.
 */
export class CredentialRefused extends Error {
  readonly reason: string;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(reason: string, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'CredentialRefused';
    this.reason = reason;
    this.facts = facts;
  }
}

/** 503 and not 401: the caller's token may be fine, so it must not be thrown away. */
export function issuerUnreachable(issuer: string): AppError {
  return new AppError(
    'identity_unavailable',
    503,
    'The sign-in service cannot be asked for its keys, so this access token cannot be checked; try again in a minute.',
    { detail: { issuer } },
  );
}

/** The same for sessions of Open WebUI, which only Open WebUI can tell about. */
export function openWebUiUnreachable(cause: unknown): AppError {
  return new AppError(
    'identity_unavailable',
    503,
    'Open WebUI cannot be asked whose session this is at the moment; try again in a minute.',
    { detail: { issuer: 'open-webui' }, cause },
  );
}

/** Open WebUI takes a key that it does not tell about: a person who is disabled here might be behind it. */
export const openWebUiKeyUnnamed = () =>
  new AppError(
    'open_webui_key_unnamed',
    403,
    'Open WebUI does not say whose key this is; use a session of Open WebUI, or ask an administrator to allow such keys here (identity.openWebUi.unnamedKeys).',
  );

export const userNotFound = () =>
  new AppError('user_not_found', 404, 'There is no user with this e-mail address; add the user first.');

export const tenantNotFound = () => new AppError('tenant_not_found', 404, 'There is no tenant with this id.');

export const tokenNotFound = () => new AppError('token_not_found', 404, 'There is no token with this id.');

export const expiryInPast = () =>
  new AppError('expiry_in_past', 400, 'The expiry date has passed already; give one in the future or none.');

export const cursorInvalid = () =>
  new AppError('cursor_invalid', 400, 'The cursor is not one that this list gave out; start without one.');
