import type { Level } from './binding.ts';

/** A credential that applies to a call. It prints as its id: neither JSON nor a log line shows more. */
export interface FoundCredential {
  readonly id: string;
  readonly owner: Level;
  /** The user, group or tenant; null for a shared one. */
  readonly ownerId: string | null;
  /** Changes when the secret is replaced, so that pool keys tell the connections of the old one apart. */
  readonly version: string;
  /** The secret. Throws `credential_unreadable` when it was sealed under another key or for something else. */
  open(): string;
  /** An account whose token changes while connections stay; `open` throws for one. */
  readonly changing?: ChangingToken;
}

/** A token that a connection asks for before each request, instead of keeping it. */
export interface ChangingToken {
  /** The token of this moment, renewed first where it is about to end. Rejects with an AppError that callers may see. */
  current(): string | Promise<string>;
  /** The server refused this token (401): true when there is another one to try once more with. */
  refused(token: string): Promise<boolean>;
}

/** For whom a credential is looked for. */
export interface CredentialQuestion {
  /** The active tenant. */
  readonly tenant: string | null;
  /** E-mail or `service:<name>`; null for the gate itself. */
  readonly user: string | null;
  /**
   * The groups that count for the caller, sorted by name, without those that belong to another tenant than the active
   * one: what they hold is none of its business.
   */
  readonly groups: readonly string[];
  readonly server: string;
  readonly name: string;
  /**
   * The active tenant has this server at an address of its own: the key of a person or a group that belongs to no
   * tenant must not go there.
   */
  readonly elsewhere: boolean;
}
