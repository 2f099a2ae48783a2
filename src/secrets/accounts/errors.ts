// Every error of accounts at servers. None repeats a token or a secret; what an authorization server said is capped
// and cleaned before it is quoted.
import { AppError } from '../../platform/errors.ts';

/** 409: the account cannot be used until its owner has signed in again; `problem` is a plain sentence. */
export function accountReconnect(server: string, problem: string): AppError {
  return new AppError(
    'account_reconnect',
    409,
    `The account at the server ${server} has to be connected again: ${problem}`,
  );
}

/** 502: it is not known whether the account still works; nothing has to be done but to try again. */
export function renewalFailed(server: string, why: string, detail?: unknown): AppError {
  const message = `The access to the server ${server} could not be renewed: ${why}. Try again in a moment.`;
  return new AppError('account_renewal_failed', 502, message, { detail });
}

/** 502: the gate itself is not welcome there; only an administrator can mend that. */
export function clientRefused(issuer: string, reason: string): AppError {
  const message = `The authorization server ${issuer} does not accept the gate’s client (${quote(reason)}): an administrator has to store its id and secret again.`;
  return new AppError('account_client_refused', 502, message);
}

/** 502: nobody could find out where people sign in for this server. */
export function discoveryFailed(server: string, why: string, detail?: unknown): AppError {
  const message = `The server ${server} does not say how to sign in: ${why}.`;
  return new AppError('account_discovery_failed', 502, message, { detail });
}

/** 502: signing in there would not be safe. */
export function serverUnsafe(issuer: string, why: string): AppError {
  return new AppError('account_server_unsafe', 502, `The gate does not sign in at ${quote(issuer)}: ${why}.`);
}

/** 502: the authorization server gives no answer, or may not be asked; `why` completes "<issuer> …". */
export function issuerUnreachable(issuer: string, why: string): AppError {
  return new AppError('account_server_away', 502, `The authorization server ${quote(issuer)} ${why}.`);
}

/** 409: the gate has no client there, and can get none by itself. */
export function clientNeeded(o: {
  issuer: string;
  server: string;
  redirectUri: string;
  why: string;
}): AppError {
  const message =
    `The gate is not registered at ${o.issuer}: ${o.why}. An administrator has to register a client there ` +
    `with the redirect URI ${o.redirectUri}, and store its id and secret with PUT /oauth-clients/${o.server}.`;
  return new AppError('account_client_needed', 409, message);
}

/** 409: a client is shown to no authorization server but its own. */
export function clientElsewhere(server: string, stored: string, named: string): AppError {
  const message = `The client for the server ${server} belongs to ${stored}, but the server names ${quote(named)}: an administrator has to look into that, and to store a client for it if it is right.`;
  return new AppError('account_client_elsewhere', 409, message);
}

/** 409: whose the secret is was settled when it was first used. */
export function secretElsewhere(server: string, owner: string, named: string): AppError {
  const message = `The client secret of the server ${server} was stored for ${owner} and goes to no other authorization server, but people are to sign in at ${quote(named)}: if that is right, an administrator has to store the key oauth-client-secret again, with the secret of the client there.`;
  return new AppError('account_client_elsewhere', 409, message);
}

/** 400: whatever it was, it cannot be answered any more. */
export function attemptUnknown(): AppError {
  const message =
    'This sign-in is over: it was used already, or took longer than ten minutes. Begin it again.';
  return new AppError('account_attempt_unknown', 400, message);
}

/** 403: somebody else began it. Nothing of it is used. */
export function attemptForeign(): AppError {
  const message =
    'Somebody else began this sign-in. Nothing was connected; begin it yourself, signed in as yourself.';
  return new AppError('account_attempt_foreign', 403, message);
}

/** 400: the authorization server said no, or the person did; `description` is its text. */
export function signInRefused(issuer: string, code: string, description: string | undefined): AppError {
  const words = description === undefined ? quote(code) : `${quote(description)} (${quote(code)})`;
  const message =
    code === 'access_denied'
      ? `${issuer} was not allowed to connect the account: ${words}.`
      : `${issuer} refused the sign-in: ${words}.`;
  return new AppError('account_sign_in_refused', 400, message);
}

/** 400: the answer is not from where the question went. */
export function answerWrong(why: string): AppError {
  return new AppError('account_answer_wrong', 400, `The answer to this sign-in cannot be trusted: ${why}.`);
}

/** 502: the authorization server gave something that cannot be used as a token. */
export function tokenUnusable(issuer: string, why: string): AppError {
  return new AppError(
    'account_token_unusable',
    502,
    `The authorization server ${issuer} gave no usable token: ${why}.`,
  );
}

/** 400: where to go afterwards is not a path of the gate. */
export function returnInvalid(): AppError {
  return new AppError('account_return_invalid', 400, 'The address to return to is not a page of this gate.');
}

/** 404: nothing is connected there. */
export function accountNotFound(user: string, server: string): AppError {
  return new AppError('account_not_found', 404, `${user} has no account at the server ${server}.`);
}

/** 404: no client is stored there. */
export function oauthClientNotFound(server: string): AppError {
  return new AppError('oauth_client_not_found', 404, `No OAuth client is stored for the server ${server}.`);
}

/** 400: a cursor that did not come from here. */
export function accountsCursorInvalid(): AppError {
  return new AppError('cursor_invalid', 400, 'This cursor is not valid; begin with the first page.');
}

/** 400: the issuer has to be said, because it cannot be found out. */
export function issuerNeeded(server: string): AppError {
  const message = `State "issuer": the authorization server of ${server} could not be found out.`;
  return new AppError('oauth_client_issuer_needed', 400, message);
}

/** 403: the person came with nothing that could be exchanged. */
export function exchangeNeedsSignIn(server: string): AppError {
  const message = `The server ${server} needs the access token of a person who signed in; an API token or a connection key cannot be exchanged for its token.`;
  return new AppError('token_exchange_needs_sign_in', 403, message);
}

/** 502: the token endpoint refused; `why` is a plain sentence part. */
export function exchangeFailed(server: string, why: string): AppError {
  return new AppError(
    'token_exchange_failed',
    502,
    `No token for the server ${server} could be got for you: ${why}.`,
  );
}

/** Text of a stranger as a part of a sentence: one line, printable, at most 200 characters. */
export function quote(text: string): string {
  const clean = text.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return clean.length > 200 ? `${clean.slice(0, 200).toWellFormed()}…` : clean;
}
