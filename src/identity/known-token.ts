import type { Principal } from '../access/contract.ts';

/** A stored token as the data plane holds it. */
export interface KnownToken {
  /** Whom it stands for; its `credentialId` is the token's id. */
  readonly principal: Principal;
  /** Not null makes it a connection key. */
  readonly mayForwardUsers: 'signed' | 'plain' | null;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | null;
  readonly revoked: boolean;
}

/** By hash. */
export type KnownTokens = ReadonlyMap<string, KnownToken>;
