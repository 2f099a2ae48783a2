import { createPrivateKey, createPublicKey, hash, hkdfSync, type KeyObject, sign, verify } from 'node:crypto';
import type { AnchorPoint } from '../contract.ts';
import { anchorKeyInvalid } from '../errors.ts';
import type { Head } from './chain-source.ts';

/** Signs heads of the chain with a key of this installation. */
export interface AnchorSigner {
  /** SPKI in base64. */
  readonly publicKey: string;
  /** One line of JSON; its signature is over the text before it. */
  line(head: Head, time: Date): string;
}

/** How the signature of an anchor is: `key` when it is by a key that is not known here. */
export type SignatureState = 'right' | 'wrong' | 'missing' | 'key';

/** An Ed25519 key of 32 bytes, in the form that Node reads (RFC 8410, PKCS #8). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const kind = 'toolgate audit anchor 1';

/** The same key as long as the installation has the same secret: anchors of years can be checked with one. */
export function anchorSigner(secret: Buffer): AnchorSigner {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'toolgate audit anchors', 32));
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const key = nameOf(spki);
  return {
    publicKey: spki.toString('base64'),
    line({ seq, hash: head }, at) {
      const said = signedText({ kind, time: at.toISOString(), seq, hash: head, key });
      const signature = sign(null, Buffer.from(said), privateKey).toString('base64');
      return `${said.slice(0, -1)},"signature":${JSON.stringify(signature)}}`;
    },
  };
}

/** Tells of anchors whether one of these keys signed them. Throws `anchor_key_invalid`. */
export function signatureReader(publicKeys: readonly string[]): (anchor: AnchorPoint) => SignatureState {
  const keys = new Map(publicKeys.map(readKey));
  return (anchor) => {
    if (anchor.signature === '') return 'missing';
    const key = keys.get(anchor.key);
    if (key === undefined) return /^[0-9a-f]{16}$/.test(anchor.key) ? 'key' : 'wrong';
    const said = Buffer.from(signedText(anchor));
    const isRight = anchor.kind === kind && verify(null, said, key, Buffer.from(anchor.signature, 'base64'));
    return isRight ? 'right' : 'wrong';
  };
}

function signedText({ kind: form, time, seq, hash: head, key }: Omit<AnchorPoint, 'signature'>): string {
  return JSON.stringify({ kind: form, time, seq, hash: head, key });
}

function readKey(text: string): [string, KeyObject] {
  try {
    const spki = Buffer.from(text, 'base64');
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ed25519') return [nameOf(spki), key];
  } catch {
    // Whatever is wrong with it, it is not what is told by `GET /audit/head`.
  }
  throw anchorKeyInvalid();
}

function nameOf(spki: Buffer): string {
  return hash('sha256', spki, 'hex').slice(0, 16);
}
