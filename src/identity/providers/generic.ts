import type { JWTPayload } from 'jose';
import { text, type TokenShape, type VerifiedToken } from './token-shape.ts';

/** Claims that stand only in ID tokens and logout tokens. */
const foreignClaims = ['at_hash', 'c_hash', 's_hash', 'events'];
const accessTokenTypes = new Set(['jwt', 'at+jwt', 'application/at+jwt']);

/** Any provider of OAuth 2 access tokens as JWTs (RFC 9068, and its many relatives without the `typ` header). */
export const generic: TokenShape = {
  authorities: (iss) => [{ iss, discovery: `${iss.replace(/\/$/, '')}/.well-known/openid-configuration` }],
  emailClaims: ['email'],
  vouchesFor: (claim, { email_verified: verified }) =>
    claim !== 'email' || (verified !== false && verified !== 'false'),
  refusal,
  subject: ({ sub }) => sub,
  // RFC 9068 section 2.2: without a person, the subject is the client.
  application: ({ sub, client_id: client }) => (sub === client ? text(client) : undefined),
  roles: () => [],
};

function refusal({ header, claims }: VerifiedToken): string | undefined {
  if (header.typ !== undefined && !accessTokenTypes.has(header.typ.toLowerCase())) return 'not_access_token';
  if (foreignClaims.some((claim) => claims[claim] !== undefined)) return 'not_access_token';
  return isSenderBound(claims) ? 'sender_bound' : undefined;
}

/** RFC 9449 section 7.1, RFC 8705 section 3: a token bound to a key must not count as a mere bearer token. */
function isSenderBound({ cnf }: JWTPayload): boolean {
  return cnf !== undefined;
}
