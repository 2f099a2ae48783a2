import { createSecretKey } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { readEmail } from '../email-address.ts';
import { CredentialRefused } from '../errors.ts';
import { digestOf } from '../token-format.ts';

const clockToleranceSeconds = 30;

/** Reads `X-OpenWebUI-User-Jwt`. */
export interface SignedUserHeader {
  /** The user's e-mail address; throws or rejects with `CredentialRefused`. `now` in milliseconds. */
  emailOf(jwt: string, now: number): string | Promise<string>;
}

/** `secret` is Open WebUI's FORWARD_USER_INFO_HEADER_JWT_SECRET. */
export function signedUserHeader(secret: string | undefined): SignedUserHeader {
  const key = secret ? createSecretKey(secret, 'utf8') : undefined;
  const verified = new LRUCache<string, { email: string; until: number }>({ max: 10_000 });

  async function verify(jwt: string, digest: string, now: number): Promise<string> {
    if (key === undefined) {
      throw new CredentialRefused(
        'no_header_secret',
        'Signed user headers cannot be checked; set FORWARD_USER_INFO_HEADER_JWT_SECRET on the gateway as in Open WebUI.',
      );
    }
    const { payload } = await jwtVerify(jwt, key, {
      algorithms: ['HS256'],
      issuer: 'open-webui',
      requiredClaims: ['exp'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now),
    }).catch((error: unknown) => {
      if (!(error instanceof errors.JOSEError)) throw error;
      throw new CredentialRefused(
        'forwarded_user_unverified',
        'The signed user header is not valid or has expired.',
        { failed: error.code },
      );
    });
    const email = readEmail(payload['email']);
    if (email === undefined)
      throw new CredentialRefused(
        'forwarded_user_unreadable',
        'The signed user header names no e-mail address.',
      );
    verified.set(digest, { email, until: ((payload.exp ?? 0) + clockToleranceSeconds) * 1000 });
    return email;
  }

  return {
    emailOf(jwt, now) {
      const digest = digestOf(jwt);
      const known = verified.get(digest);
      return known !== undefined && now < known.until ? known.email : verify(jwt, digest, now);
    },
  };
}
