import { hash } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { readEmail } from '../email-address.ts';
import { CredentialRefused } from '../errors.ts';
import { text } from '../providers/token-shape.ts';
import type { TrustedIssuer } from './trusted-issuers.ts';

/** What a verified token states, before it is held against the directory. */
export interface TokenFacts {
  readonly trusted: TrustedIssuer;
  readonly kind: 'user' | 'service';
  /** The stated e-mail address, or the service's id. */
  readonly id: string;
  readonly subject: string;
  readonly displayName: string;
  readonly groups: GroupsClaim;
  readonly roles: readonly string[];
  /** Seconds since the epoch. */
  readonly issuedAt: number;
}

/** `overage`: the person is in more groups than the provider writes into a token. Neither that nor `absent` means "none". */
export type GroupsClaim =
  | { readonly state: 'present'; readonly values: readonly string[] }
  | { readonly state: 'overage' | 'absent' };

export function readFacts(trusted: TrustedIssuer, claims: JWTPayload): TokenFacts {
  const { shape, config } = trusted;
  const subject = text(shape.subject(claims));
  if (subject === undefined)
    throw new CredentialRefused('no_subject', 'The access token does not say whom it stands for.');
  const application = shape.application(claims);
  return {
    trusted,
    kind: application === undefined ? 'user' : 'service',
    id: application === undefined ? emailOf(trusted, claims) : serviceIdOf(config.name, application),
    subject,
    displayName: text(claims['name']) ?? application ?? '',
    groups: groupsOf(claims, config.groupsClaim),
    roles: shape.roles(claims),
    issuedAt: claims.iat ?? 0,
  };
}

function emailOf({ shape, config }: TrustedIssuer, claims: JWTPayload): string {
  const tried = config.emailClaims ?? shape.emailClaims;
  for (const claim of tried) {
    const found = shape.vouchesFor(claim, claims) ? readEmail(claims[claim]) : undefined;
    if (found !== undefined) return found;
  }
  throw new CredentialRefused(
    'no_email',
    `The access token holds no verified e-mail address; the sign-in service must put one into: ${tried.join(', ')}.`,
  );
}

const longestApplication = 38;

/**
 * The issuer's name keeps programs of two issuers apart, and both apart from the services that have tokens of ours.
 * A client id that had to be changed to fit gets a part of its hash, so that no two become the same.
 */
function serviceIdOf(issuerName: string, application: string): string {
  const plain = application.toLowerCase().replace(/[^a-z0-9._-]/g, '-');
  const fits = plain === application && plain.length <= longestApplication;
  const unique = fits
    ? plain
    : `${plain.slice(0, longestApplication - 9)}-${hash('sha256', application).slice(0, 8)}`;
  return `service:${issuerName}.${unique}`;
}

function groupsOf(claims: JWTPayload, name: string): GroupsClaim {
  const value = claims[name];
  if (typeof value === 'string') return { state: 'present', values: [value] };
  if (Array.isArray(value))
    return { state: 'present', values: value.filter((group) => typeof group === 'string') };
  // OpenID Connect Core 5.6.2, as Entra uses it; `hasgroups` is its form in the implicit flow.
  const elsewhere: unknown = claims['_claim_names'];
  const isElsewhere = typeof elsewhere === 'object' && elsewhere !== null && Object.hasOwn(elsewhere, name);
  const hidden = isElsewhere || claims['hasgroups'] === true || claims['hasgroups'] === 'true';
  return { state: hidden ? 'overage' : 'absent' };
}
