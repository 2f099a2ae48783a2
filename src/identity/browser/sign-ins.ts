import type { JWTPayload } from 'jose';
import type { Principal } from '../../access/contract.ts';
import type { Directory } from '../directory.ts';
import { CredentialRefused } from '../errors.ts';
import type { Mapping } from '../oidc/mapping.ts';
import { readFacts } from '../oidc/token-facts.ts';
import type { TrustedIssuers } from '../oidc/trusted-issuers.ts';

/** Sign-ins in a browser end in an ID token, which is none that a request could carry. */
export interface SignIns {
  /**
   * Whom the verified claims of an issuer's ID token stand for: the same person as its access tokens do. Throws
   * `CredentialRefused`.
   */
  personOf(
    issuer: string,
    claims: JWTPayload,
  ): { readonly principal: Principal; readonly displayName: string };
}

export function createSignIns(o: {
  trusted: TrustedIssuers;
  mapping: Mapping;
  directory: () => Directory;
}): SignIns {
  return {
    personOf(issuer, claims) {
      const trusted = o.trusted.find(issuer);
      if (!trusted)
        throw new CredentialRefused('issuer_unknown', 'This sign-in service is not trusted here.');
      const facts = readFacts(trusted, claims);
      const directory = o.directory();
      const principal = o.mapping.principal(facts, directory);
      if (directory.members.get(principal.id)?.disabled)
        throw new CredentialRefused('user_disabled', 'Your account is disabled here; ask an administrator.');
      o.mapping.sight(facts, principal);
      return { principal, displayName: facts.displayName };
    },
  };
}
