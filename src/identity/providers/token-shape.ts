import type { JWSHeaderParameters, JWTPayload } from 'jose';

export interface Authority {
  /** The exact `iss` of its tokens. */
  readonly iss: string;
  /** Its OpenID Connect discovery document. */
  readonly discovery: string;
}

/** A token whose signature, issuer, audience and times were verified. */
export interface VerifiedToken {
  readonly claims: JWTPayload;
  readonly header: JWSHeaderParameters;
  readonly authority: Authority;
  /** The configured issuer URL. */
  readonly issuer: string;
  /** Issuers that its signing key is confined to; none when the key set does not say. */
  readonly keyIssuers: readonly string[];
}

/** How one kind of provider writes its access tokens. */
export interface TokenShape {
  authorities(issuer: string): readonly Authority[];
  /** Claims tried in order for the e-mail address. */
  readonly emailClaims: readonly string[];
  /** False when the provider says that the address in this claim was not verified. */
  vouchesFor(emailClaim: string, claims: JWTPayload): boolean;
  /** Why this is not an access token for a resource server: a code for the log. */
  refusal(token: VerifiedToken): string | undefined;
  /** What names the person for good, within the issuer. */
  subject(claims: JWTPayload): unknown;
  /** The client's id when the token stands for a program and not for a person. */
  application(claims: JWTPayload): string | undefined;
  /** Roles that count like groups. */
  roles(claims: JWTPayload): readonly string[];
}

/** The value when it is a text with something in it. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
