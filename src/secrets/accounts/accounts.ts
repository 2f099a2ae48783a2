// What the rest of the program sees of people's accounts at servers. The protocol, the tokens and the database are
// behind it.
import { AppError } from '../../platform/errors.ts';
import type { FoundCredential } from '../credential.ts';

/** Where the browser comes back to with a client that was registered by hand: one address for all of them. */
export const callbackPath = '/gateway/connect/callback';
/** Where it comes back to otherwise: a hash of the authorization server follows. */
export const issuerCallback = '/gateway/oauth/callback/';
/** Where the gate's client metadata documents are, one for each authorization server: their URLs are client ids (CIMD). */
export const issuerMetadata = '/gateway/oauth/client-metadata/';
/** The one that accounts have which were connected before each authorization server had its own. */
export const clientMetadataPath = '/gateway/oauth/client-metadata.json';

/** Whose account, and at which server. One person has at most one account for each tenant and server. */
export interface AccountPlace {
  /** The active tenant; null for callers without one. An account is used only while its tenant is active. */
  readonly tenant: string | null;
  /** E-mail of the user. */
  readonly user: string;
  readonly server: string;
}

export interface AccountQuestion extends AccountPlace {
  /** The URL that is dialled, as in `AccountServer.url`. Tokens that were asked for another one are not used. */
  readonly resource: string;
  /** `issuer` of the server's account settings, where it has one: tokens of any other are not used. */
  readonly issuer?: string | undefined;
}

/** The account settings of kind `oauth` in a server's definition. */
export interface OAuthSettings {
  readonly scopes?: readonly string[] | undefined;
  readonly issuer?: string | undefined;
  readonly clientId?: string | undefined;
  readonly authorizeParams?: Readonly<Record<string, string>> | undefined;
}

/** A server as the person who connects reaches it. */
export interface AccountServer {
  readonly id: string;
  /** Its name for people; the id where it has none. */
  readonly displayName: string;
  /** The address for this tenant: every placeholder filled in, no credential in it. */
  readonly url: string;
  readonly settings: OAuthSettings;
  /** The operator wrote the address in the config file, so its origin may be private and without TLS. */
  readonly trusted: boolean;
  /** The address is the tenant's own: a client secret that belongs to no tenant is not sent to what it names. */
  readonly elsewhere: boolean;
}

export type AccountState =
  | { readonly state: 'none' }
  | { readonly state: 'connected'; readonly scopes: readonly string[]; readonly connectedAt: Date }
  /** `problem` is a plain sentence that says why the account has to be connected again. */
  | { readonly state: 'reconnect'; readonly problem: string };

export interface AccountSummary {
  readonly tenant: string | null;
  readonly server: string;
  readonly state: 'connected' | 'reconnect';
  readonly problem: string | null;
  /** The authorization server. */
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly connectedAt: Date;
  readonly refreshedAt: Date | null;
}

export interface Disconnected {
  /** False: there was no account. */
  readonly existed: boolean;
  /**
   * `yes`: the authorization server took the access back. `unsupported`: it has no way to. `no`: it could not be
   * reached or refused; what it issued stays valid there until it expires.
   */
  readonly revoked: 'yes' | 'no' | 'unsupported';
}

/** Who did it, for the audit trail. */
export interface AccountActor {
  readonly id: string;
  readonly requestId?: string | null;
  readonly clientIp?: string | null;
}

export interface Accounts {
  /**
   * The user's account at this server for this tenant, as a credential with a changing token; null: none connected.
   * Synchronous, from memory; the same object while nothing changed. An account that has to be connected again is
   * found, too, so that nothing less specific takes its place: its `changing.current()` rejects with
   * `account_reconnect`. Ask `stateOf` first to offer a link instead. `version` changes when it is connected anew.
   */
  find(question: AccountQuestion): FoundCredential | null;
  /** For pages, lists, and before a call. Synchronous, from memory. */
  stateOf(question: AccountQuestion): AccountState;
  /**
   * Begins an authorization: discovery, client, PKCE. Resolves with the URL that the browser goes to. `returnTo` is a
   * path of the gate (`/…`) and comes back from `finish`. Rejects with AppErrors whose sentences are for people.
   */
  begin(o: {
    readonly tenant: string | null;
    readonly user: string;
    readonly server: AccountServer;
    readonly returnTo: string;
    /** Scopes to ask for besides: an account that is there keeps what it was granted. */
    readonly further?: readonly string[] | undefined;
  }): Promise<{ url: string }>;
  /**
   * The browser came back to `path` with this query; `user` is whoever is signed in to it. Stores the tokens
   * and resolves when `find` finds them here. Every attempt works once. Rejects with `ConnectFailed` once it is known
   * what was being connected, with another AppError before; both have sentences for people.
   */
  finish(o: {
    readonly path: string;
    readonly query: URLSearchParams;
    readonly user: string;
    readonly actor?: AccountActor | undefined;
  }): Promise<Finished>;
  /** Revokes at the authorization server (RFC 7009, as far as it can be reached), and forgets in any case. */
  disconnect(place: AccountPlace, actor: AccountActor): Promise<Disconnected>;
  /** What has to be registered for clients that are made by hand. */
  readonly redirectUri: string;
  /** Where people sign in for a server. Rejects with AppErrors, as `begin` does. */
  issuerOf(server: AccountServer): Promise<string>;
  /** All accounts of one person, from memory, sorted by server. */
  listFor(user: string): readonly AccountSummary[];
  /** The client metadata document at this path; null where there is none, and where PUBLIC_URL is not https. */
  clientMetadata(path: string): Readonly<Record<string, unknown>> | null;
  /** How many renewed tokens wait in the data directory, sealed under this master key, to be stored. */
  unsavedUnder(masterKey: string): Promise<number>;
  /** Loads anew; resolves when `find` answers from what the database holds now. */
  refresh(): Promise<void>;
  /** Calls back when somebody's account came, went or changed its state, but not for renewed tokens. Returns how to stop. */
  onChange(listener: () => void): () => void;
  /** Since when changes may be missing; null while everything is current. */
  staleSince(): Date | null;
  close(): Promise<void>;
}

export interface Finished {
  readonly server: string;
  readonly tenant: string | null;
  readonly returnTo: string;
}

/** Connecting failed after it was clear what was being connected: enough to lead the person back. */
export class ConnectFailed extends AppError {
  readonly at: Finished;

  constructor(error: AppError, at: Finished) {
    super(error.code, error.status, error.message, { cause: error.cause, detail: error.detail });
    this.at = at;
  }
}

/** The account settings of kinds `token-exchange` and `on-behalf-of`. */
export interface ExchangeSettings {
  readonly kind: 'token-exchange' | 'on-behalf-of';
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly audience?: string | undefined;
  readonly resource?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
}

export interface ExchangeQuestion extends AccountPlace {
  /** The URL that is dialled; null for one that holds a secret. */
  readonly resource: string | null;
  readonly settings: ExchangeSettings;
  /** The operator wrote `tokenUrl` in the config file, so it may be private and without TLS. */
  readonly trusted: boolean;
  /** As of `AccountServer`. */
  readonly elsewhere: boolean;
  /**
   * The verified access token that the user came with, as it stands; undefined when they came with something else (an
   * API token, a connection key). Only ever sent to `tokenUrl`.
   */
  readonly subjectToken: string | undefined;
}

export interface Exchanges {
  /**
   * The server's token for this user as a credential with a changing token. Nothing is fetched here; `current()` does,
   * once for all callers, and rejects with `token_exchange_failed` or `token_exchange_needs_sign_in`. The newest
   * subject token of a person is the one that is exchanged: call this for every request. Synchronous; the same object
   * for the same question but for what the subject token is. Who comes without one never gets what was exchanged for
   * the same person with one.
   */
  find(question: ExchangeQuestion): FoundCredential;
  close(): Promise<void>;
}
