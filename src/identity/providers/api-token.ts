import type { Principal } from '../../access/contract.ts';
import { CredentialRefused } from '../errors.ts';
import type { KnownToken } from '../known-token.ts';
import { isIntact, looksLikeOurs } from '../token-format.ts';
import type { TokenUsage } from '../token-usage.ts';
import type { Credential, Provider } from './provider.ts';

/** The same for unknown, expired and revoked tokens and for disabled owners. */
export const invalidToken = 'This token is unknown, expired or revoked; ask an administrator for a new one.';

/** `tg_…` tokens of people and services. */
export function apiTokens({ usage }: { usage: TokenUsage }): Provider {
  return {
    name: 'api-token',
    forAdmin: true,
    invalid: invalidToken,
    recognises: ({ token }) => looksLikeOurs(token),
    authenticate: (credential): Principal => usableToken(credential, usage).principal,
  };
}

/** The stored token behind a credential, or a refusal; notes that it was used. */
export function usableToken({ token, known, now }: Credential, usage: TokenUsage): KnownToken {
  if (known === undefined) {
    // Anybody can compute the checksum, so telling about it tells nothing about which tokens exist.
    if (!isIntact(token)) {
      throw new CredentialRefused(
        'token_damaged',
        'This token is incomplete or mistyped; copy it again as a whole.',
      );
    }
    throw new CredentialRefused('token_unknown', invalidToken);
  }
  const facts = { credentialId: known.principal.credentialId };
  if (known.revoked) throw new CredentialRefused('token_revoked', invalidToken, facts);
  if (known.expiresAt !== null && now >= known.expiresAt)
    throw new CredentialRefused('token_expired', invalidToken, facts);
  usage.used(known.principal.credentialId, now);
  return known;
}
