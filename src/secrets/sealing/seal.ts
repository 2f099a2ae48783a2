// How a secret lies in the database. Each has a data key of its own, which is wrapped under a master key: another
// master key means wrapping 32 bytes again, and what the secret itself was sealed to stays as it is.
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import type { Binding } from '../binding.ts';
import { credentialRefused, credentialUnreadable } from '../errors.ts';
import { keyBytes, type MasterKey, type MasterKeys } from '../master-keys/master-key.ts';

const ivBytes = 12;
const tagBytes = 16;
const firstForm = /^v1\.([0-9a-f]{8})\.([\w-]{16})\.([\w-]{22})\.([\w-]*)$/;
const envelope = /^v2\.([0-9a-f]{8})\.([\w-]{80})\.([\w-]{16})\.([\w-]{22})\.([\w-]*)$/;

/**
 * `v2.<master key id>.<wrapped data key>.<iv>.<tag>.<ciphertext>`, base64url: AES-256-GCM under a random data key and a
 * random IV, bound to what the secret belongs to.
 */
export function seal(keys: MasterKeys, plaintext: string, binding: Binding): string {
  const masterKey = keys.current();
  const dataKey = randomBytes(keyBytes);
  const plain = Buffer.from(plaintext, 'utf8');
  try {
    const parts = encrypt(dataKey, plain, boundTo(binding));
    return ['v2', masterKey.id, wrap(masterKey, dataKey), ...parts.map(text)].join('.');
  } finally {
    dataKey.fill(0);
    plain.fill(0);
  }
}

/** The plaintext. Throws `credential_unreadable` for a key that is not here, another binding or a changed text. */
export function open(keys: MasterKeys, sealed: string, binding: Binding): string {
  const [, keyId, wrapped, ...parts] = envelope.exec(sealed) ?? [];
  if (keyId === undefined || wrapped === undefined) return openFirstForm(keys, sealed, binding);
  const masterKey = keyFor(keys, keyId, binding);
  const dataKey = unwrap(masterKey, wrapped);
  if (dataKey === undefined) throw credentialRefused(binding);
  try {
    return decrypted(decrypt(dataKey, parts.map(bytes), boundTo(binding)), binding);
  } finally {
    dataKey.fill(0);
  }
}

/**
 * The same secret under the master key in force. The data key is wrapped anew, the secret is not looked at; one in the
 * first form is opened and sealed again, which needs its `binding`. Throws as `open` and `seal` do.
 */
export function rewrap(keys: MasterKeys, sealed: string, binding: Binding): string {
  const [, keyId, wrapped, ...parts] = envelope.exec(sealed) ?? [];
  if (keyId === undefined || wrapped === undefined) return seal(keys, open(keys, sealed, binding), binding);
  const masterKey = keys.current();
  const dataKey = unwrap(keyFor(keys, keyId, binding), wrapped);
  if (dataKey === undefined) throw credentialRefused(binding);
  try {
    return ['v2', masterKey.id, wrap(masterKey, dataKey), ...parts].join('.');
  } finally {
    dataKey.fill(0);
  }
}

/** The id of the master key that a sealed text needs; null for what is not in a sealed form. */
export function keyIdOf(sealed: string): string | null {
  return (envelope.exec(sealed) ?? firstForm.exec(sealed))?.[1] ?? null;
}

/** What stays when only the master key around the secret changes. */
export function payloadOf(sealed: string): string {
  return envelope.test(sealed) ? sealed.split('.').slice(3).join('.') : sealed;
}

function openFirstForm(keys: MasterKeys, sealed: string, binding: Binding): string {
  const [, keyId, ...parts] = firstForm.exec(sealed) ?? [];
  if (keyId === undefined) {
    throw credentialRefused(binding, 'is not in the sealed form; store it again through the admin API');
  }
  // The first form is bound to tenant, server and name alone: a group's or a user's secret could be swapped for it.
  if (!isTenantsOrShared(binding)) throw credentialRefused(binding);
  const key = keyFor(keys, keyId, binding).sealing;
  const associated = lengthPrefixed(['v1', binding.tenant, binding.server, binding.name]);
  return decrypted(decrypt(key, parts.map(bytes), associated), binding);
}

function keyFor(keys: MasterKeys, id: string, binding: Binding): MasterKey {
  const key = keys.get(id);
  if (key) return key;
  const why = `needs the master key ${id}, which is not here; start with that key, or store it again`;
  throw credentialUnreadable(binding, why);
}

function isTenantsOrShared({ tenant, owner }: Binding): boolean {
  return owner.id === tenant && owner.level === (tenant === null ? 'shared' : 'tenant');
}

function wrap(masterKey: MasterKey, dataKey: Buffer): string {
  return text(Buffer.concat(encrypt(masterKey.wrapping, dataKey, wrappedBy(masterKey))));
}

/** Undefined when it was altered, or wrapped by another key that says it is this one. */
function unwrap(masterKey: MasterKey, wrapped: string): Buffer | undefined {
  const all = bytes(wrapped);
  const parts = [
    all.subarray(0, ivBytes),
    all.subarray(ivBytes, ivBytes + tagBytes),
    all.subarray(ivBytes + tagBytes),
  ];
  return decrypt(masterKey.wrapping, parts, wrappedBy(masterKey));
}

/** Initialization vector, tag, ciphertext. */
function encrypt(key: KeyObject | Buffer, plain: Buffer, associated: Buffer): [Buffer, Buffer, Buffer] {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes }).setAAD(associated);
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
  return [iv, cipher.getAuthTag(), ciphertext];
}

function decrypt(
  key: KeyObject | Buffer,
  [iv, tag, ciphertext]: readonly Buffer[],
  associated: Buffer,
): Buffer | undefined {
  if (!iv || !tag || !ciphertext) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  decipher.setAAD(associated).setAuthTag(tag);
  const plain = decipher.update(ciphertext);
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    // The tag does not fit: altered, or of another key or binding. Both callers say so.
    return undefined;
  } finally {
    plain.fill(0);
  }
}

function decrypted(plain: Buffer | undefined, binding: Binding): string {
  if (plain === undefined) throw credentialRefused(binding);
  const secret = plain.toString('utf8');
  plain.fill(0);
  return secret;
}

function boundTo({ tenant, owner, server, name }: Binding): Buffer {
  return lengthPrefixed(['v2', tenant, owner.level, owner.id, server, name]);
}

function wrappedBy({ id }: MasterKey): Buffer {
  return lengthPrefixed(['data key', id]);
}

/** Each part with its length before it, so that no two lists give the same bytes; nothing is not an empty text. */
function lengthPrefixed(parts: readonly (string | null)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const content = Buffer.from(part ?? '', 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part === null ? 0xffffffff : content.length);
      return [length, content];
    }),
  );
}

function text(content: Buffer): string {
  return content.toString('base64url');
}

function bytes(content: string): Buffer {
  return Buffer.from(content, 'base64url');
}
