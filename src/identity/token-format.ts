import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

// `tg_`, 32 random bytes and a CRC-32, both base64url. Prefix and checksum let secret scanners find leaked ones
// without false alarms, and let a mistyped one be told apart from a revoked one.
const prefix = 'tg_';
const shape = /^tg_[A-Za-z0-9_-]{49}$/;
const checkLength = 6;

export function makeToken(): string {
  const body = prefix + randomBytes(32).toString('base64url');
  return body + checksum(body);
}

/** Ours, whole or damaged: such a token is never tried as anything else. */
export function looksLikeOurs(token: string): boolean {
  return token.startsWith(prefix);
}

/** False for a token that was cut short or mistyped. */
export function isIntact(token: string): boolean {
  return shape.test(token) && checksum(token.slice(0, -checkLength)) === token.slice(-checkLength);
}

/**
 * What is stored and looked up. SHA-256 is enough: 256 random bits cannot be guessed, so there is nothing that a
 * slow hash would slow down. Looking up by hash also leaks no timing about the token itself.
 */
export function digestOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

/** The first characters, by which people recognise a token in a list. */
export function visiblePart(token: string): string {
  return token.slice(0, 8);
}

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64url');
}
