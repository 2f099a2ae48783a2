import type { Clock } from '../../../platform/clock.ts';
import type { Database } from '../../../platform/db/index.ts';
import type { GuardedFetch } from '../../../platform/guarded-fetch.ts';
import type { SecretBox } from '../../sealing/secret-box.ts';
import type { Vault } from '../../vault/vault.ts';
import type { AccountServer } from '../accounts.ts';
import type { GateIdentity } from '../protocol/gate-identity.ts';
import type { SignInServer } from '../protocol/server-metadata.ts';
import type { ClientSource } from '../tokens.ts';

/** The gate's client at one authorization server. */
export interface GateClient {
  readonly source: ClientSource;
  readonly id: string;
  readonly secret: string | null;
  /** `token_endpoint_auth_method`; null: whatever the server's metadata says. */
  readonly method: string | null;
  /** The tenant whose stored client it is. */
  readonly tenant: string | null;
}

/** A client, and where browsers come back to for it. */
export interface ChosenClient extends GateClient {
  readonly redirectUri: string;
}

export interface ClientsOptions {
  readonly database: Pick<Database, 'db' | 'forTenant'>;
  readonly box: SecretBox;
  readonly vault: Pick<Vault, 'find'>;
  readonly fetch: Pick<GuardedFetch, 'fetch'>;
  readonly gate: GateIdentity;
  readonly clock: Clock;
}

/** As whom to sign in somebody of this tenant, at this authorization server. */
export interface ClientQuestion {
  readonly server: AccountServer;
  readonly tenant: string | null;
  readonly at: SignInServer;
  /** It is the first that the server names. */
  readonly isFirst: boolean;
}
