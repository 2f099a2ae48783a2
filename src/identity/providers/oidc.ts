// Access tokens of the configured issuers.
import { decodeJwt, errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../access/contract.ts';
import type { Log } from '../../platform/log.ts';
import type { Directory } from '../directory.ts';
import { CredentialRefused } from '../errors.ts';
import { createMapping } from '../oidc/mapping.ts';
import { readFacts, type TokenFacts } from '../oidc/token-facts.ts';
import type { TrustedIssuer, TrustedIssuers } from '../oidc/trusted-issuers.ts';
import type { Provisioning } from '../provisioning.ts';
import type { Credential, Provider } from './provider.ts';

/** Signatures by a private key only: with HS256 the public key would be the secret. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const jwt = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
/** A verified token is checked anew so often, so that a key which its issuer withdrew stops counting. */
const verifyAgainMs = 15 * 60_000;
const sightAgainMs = 60_000;

const invalid = 'This access token is not valid here; sign in again.';

/** What this way in needs. */
export interface OidcDeps {
  readonly trusted: TrustedIssuers;
  readonly directory: () => Directory;
  readonly provisioning: Provisioning;
  readonly log: Log;
}

interface Verified {
  readonly facts: TokenFacts;
  readonly until: number;
  readonly generation: unknown;
  /** Not held: everyone who came once would keep a picture of that moment in memory. */
  directory: WeakRef<Directory>;
  principal: Principal;
  sightAt: number;
}

export function oidc(deps: OidcDeps): Provider {
  const mapping = createMapping(deps);
  // Counted in groups too: a token of Entra may name 200 of them.
  const verified = new LRUCache<string, Verified>({
    max: 50_000,
    maxSize: 2_000_000,
    sizeCalculation: sizeOf,
  });

  async function verify({ token, digest, now }: Credential): Promise<Principal> {
    const generation = deps.trusted.generation();
    const trusted = issuerOf(token, deps.trusted);
    const { claims, exp } = await verifiedClaims(token, trusted, now);
    const facts = readFacts(trusted, claims);
    const directory = deps.directory();
    const principal = mapping.principal(facts, directory);
    mapping.sight(facts, principal);
    const until = Math.min((exp + trusted.config.clockToleranceSeconds) * 1000, now + verifyAgainMs);
    verified.set(digest, {
      ...{ facts, until, generation, principal },
      directory: new WeakRef(directory),
      sightAt: now + sightAgainMs,
    });
    return principal;
  }

  function principalOf(entry: Verified, now: number): Principal {
    const directory = deps.directory();
    if (entry.directory.deref() !== directory) {
      entry.principal = mapping.principal(entry.facts, directory);
      entry.directory = new WeakRef(directory);
      entry.sightAt = now;
    }
    if (now >= entry.sightAt) {
      mapping.sight(entry.facts, entry.principal);
      entry.sightAt = now + sightAgainMs;
    }
    return entry.principal;
  }

  return {
    name: 'oidc',
    forAdmin: true,
    invalid,
    recognises: ({ token }) => jwt.test(token),
    authenticate(credential) {
      const entry = verified.get(credential.digest);
      const counts =
        entry !== undefined && credential.now < entry.until && entry.generation === deps.trusted.generation();
      return counts ? principalOf(entry, credential.now) : verify(credential);
    },
  };
}

function sizeOf({ facts }: Verified): number {
  return 1 + (facts.groups.state === 'present' ? facts.groups.values.length : 0);
}

/** Read before anything is verified, so it only chooses what the token is verified against. */
function issuerOf(token: string, trusted: TrustedIssuers): TrustedIssuer {
  let iss: string | undefined;
  try {
    iss = decodeJwt(token).iss;
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw new CredentialRefused('token_malformed', invalid);
  }
  const found = iss === undefined ? undefined : trusted.find(iss);
  if (found === undefined)
    throw new CredentialRefused(
      'issuer_unknown',
      'This access token comes from a sign-in service that is not trusted here.',
      { iss },
    );
  return found;
}

async function verifiedClaims(token: string, trusted: TrustedIssuer, now: number) {
  const { config, shape, authority, keys } = trusted;
  const { payload: claims, protectedHeader: header } = await jwtVerify(token, keys.find, {
    algorithms,
    issuer: authority.iss,
    audience: config.audience,
    requiredClaims: ['exp'],
    clockTolerance: config.clockToleranceSeconds,
    currentDate: new Date(now),
  }).catch((error: unknown) => {
    throw error instanceof errors.JOSEError ? refusalOf(error, config.name) : error;
  });
  const reason = shape.refusal({
    claims,
    header,
    authority,
    issuer: config.issuer,
    keyIssuers: keys.issuersOf(header.kid),
  });
  if (reason !== undefined) throw new CredentialRefused(reason, invalid, { issuer: config.name });
  return { claims, exp: claims.exp ?? 0 };
}

/** The claims of an own token are no secret to its holder, so the two common mistakes are told plainly. */
function refusalOf(error: errors.JOSEError, issuer: string): CredentialRefused {
  const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : undefined;
  const facts = { issuer, failed: error.code, claim };
  if (error instanceof errors.JWTExpired)
    return new CredentialRefused('token_expired', 'This access token has expired; sign in again.', facts);
  if (claim === 'aud')
    return new CredentialRefused(
      'wrong_audience',
      'This access token was issued for another service than this one.',
      facts,
    );
  return new CredentialRefused('token_invalid', invalid, facts);
}
