import type { Principal } from '../../access/contract.ts';
import type { KnownToken } from '../known-token.ts';

/** What a request says about its sender. */
export interface CallerRequest {
  /** Looks up by lower-case name. */
  header(name: string): string | undefined;
  readonly clientIp: string;
  /** Path of the MCP URL, for the resource metadata. */
  readonly path: string;
}

/** The one bearer credential of a request, looked up once for all providers. */
export interface Credential {
  readonly token: string;
  readonly digest: string;
  /** The stored token with this hash. */
  readonly known: KnownToken | undefined;
  readonly request: CallerRequest;
  readonly now: number;
}

/** One way to prove who is calling. */
export interface Provider {
  readonly name: string;
  /** May it open the admin API? Not where the caller can name whom it is. */
  readonly forAdmin: boolean;
  /** The one sentence for every refusal that must not tell a guesser anything. */
  readonly invalid: string;
  /** Exactly one provider gets each credential; when that one refuses, no other is tried. */
  recognises(credential: Credential): boolean;
  /** Throws or rejects with `CredentialRefused`. Synchronous when nothing new has to be verified. */
  authenticate(credential: Credential): Principal | Promise<Principal>;
}
