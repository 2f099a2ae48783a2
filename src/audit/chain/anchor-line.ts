import { createPrivateKey, createPublicKey, hkdfSync, sign } from 'node:crypto';
import type { Head } from './chain-store.ts';

/** Signs heads of the chain with a key of this installation. */
export interface AnchorSigner {
  /** SPKI in base64. */
  readonly publicKey: string;
  /** One line of JSON; its signature is over the text before it. */
  line(head: Head, time: Date): string;
}

/** An Ed25519 key of 32 bytes, in the form that Node reads (RFC 8410, PKCS #8). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The same key as long as the installation has the same secret: anchors of years can be checked with one. */
export function anchorSigner(secret: Buffer): AnchorSigner {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'toolgate audit anchors', 32));
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
  return {
    publicKey: createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64'),
    line({ seq, hash }, time) {
      const said = { kind: 'toolgate audit anchor 1', time: time.toISOString(), seq, hash };
      const signature = sign(null, Buffer.from(JSON.stringify(said)), key).toString('base64');
      return JSON.stringify({ ...said, signature });
    },
  };
}
