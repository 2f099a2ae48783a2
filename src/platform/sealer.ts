import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Seals short texts that leave the process and come back: whoever holds one can neither read, change nor make one. */
export interface Sealer {
  /** base64url text, different each time. */
  seal(text: string): string;
  /** What was sealed; undefined for anything that was not sealed by this key for this purpose. */
  open(sealed: string): string | undefined;
}

const ivBytes = 12;
const tagBytes = 16;

/**
 * AES-256-GCM under a key of its own for each purpose (HKDF-SHA256, RFC 5869), made once: what was sealed for one
 * purpose is refused for every other. `key`: 32 bytes.
 */
export function createSealer(key: Buffer, purpose: string): Sealer {
  const own = Buffer.from(hkdfSync('sha256', key, '', `toolgate seal ${purpose}`, 32));
  return {
    seal(text) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', own, iv);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64url');
      // One spelling only: lists of sealed things that are over know them by their text.
      if (bytes.length < ivBytes + tagBytes || bytes.toString('base64url') !== sealed) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', own, bytes.subarray(0, ivBytes));
      decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
      try {
        const body = [decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()];
        return Buffer.concat(body).toString('utf8');
      } catch {
        // The tag does not fit: made up, altered, or of another key. The caller says what that means.
        return undefined;
      }
    },
  };
}
