// What the gate says of a caller to what is behind it, in plain headers and once more signed: plain ones anybody can send
// who reaches such a program directly.
import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { type Clock, isAhead } from '../../platform/clock.ts';

/** A caller, as it is told. */
export interface SignedIdentity {
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly admin: boolean;
  readonly authSource: string;
}

/** The header that proves the others. */
export const signatureHeader = 'X-Gateway-Signature';
/** Keeps it apart from any other token that might be signed one day. */
export const signatureType = 'toolgate-identity+jwt';
export const lifeSeconds = 60;
const algorithm = 'EdDSA';
/** One signature does for several requests, as long as most of its time is left. */
const reuseMs = 20_000;
const mostKept = 20_000;

export interface IdentitySigner {
  /** Names and values in turn. */
  headers(facts: SignedIdentity): Promise<readonly string[]>;
  /** The signature alone, for somebody else: `audience` is scheme, host and port. */
  signatureFor(facts: SignedIdentity, audience: string): Promise<string>;
  /** The document of keys (RFC 7517) that signatures are checked with. */
  readonly keys: { readonly keys: readonly object[] };
  readonly keyId: string;
}

/** `secret`: 32 bytes that every process of the installation has. `audience`: who is to believe it. */
export async function createIdentitySigner(o: {
  secret: Buffer;
  issuer: string;
  audience: string;
  clock: Clock;
}): Promise<IdentitySigner> {
  const key = signingKey(o.secret);
  const published = createPublicKey(key).export({ format: 'jwk' });
  const keyId = await calculateJwkThumbprint(published);
  const signed = new LRUCache<string, { readonly jwt: string; readonly until: number }>({ max: mostKept });

  async function signature(facts: SignedIdentity, audience: string): Promise<string> {
    const now = o.clock();
    const print = JSON.stringify([audience, facts]);
    const known = signed.get(print);
    if (known && isAhead(known.until, now, reuseMs)) return known.jwt;
    const { email, ...claims } = facts;
    const seconds = Math.floor(now / 1000);
    const jwt = await new SignJWT({ ...claims, email })
      .setProtectedHeader({ alg: algorithm, kid: keyId, typ: signatureType })
      .setSubject(email)
      .setIssuer(o.issuer)
      .setAudience(audience)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + lifeSeconds)
      .sign(key);
    signed.set(print, { jwt, until: now + reuseMs });
    return jwt;
  }

  return {
    keyId,
    keys: { keys: [{ ...published, kid: keyId, alg: algorithm, use: 'sig' }] },
    signatureFor: signature,
    async headers(facts) {
      const { email, name, groups, admin, authSource } = facts;
      return [
        ...['X-User-Email', plainText(email), 'X-User-Name', plainText(name)],
        ...['X-User-Groups', groups.map(plainText).join(','), 'X-User-Admin', String(admin)],
        ...['X-Gateway-Validated', 'true', 'X-Auth-Source', plainText(authSource)],
        ...[signatureHeader, await signature(facts, o.audience)],
      ];
    },
  };
}

/** RFC 8410 section 7: what stands before the 32 bytes of an Ed25519 key in PKCS #8. */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The same in every process and after every start, and stored nowhere. */
function signingKey(secret: Buffer): KeyObject {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'toolgate identity signature', 32));
  return createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: 'der', type: 'pkcs8' });
}

/** Header values are ASCII, and a comma parts groups: these and "%" are percent-encoded, and nothing else is. */
function plainText(value: string): string {
  return value.toWellFormed().replaceAll(/[^\x20-\x24\x26-\x2b\x2d-\x7e]/gu, encodeURIComponent);
}
