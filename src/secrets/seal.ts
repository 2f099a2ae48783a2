import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Binding } from './binding.ts';
import { credentialUnreadable } from './errors.ts';
import type { MasterKey } from './master-key.ts';

const ivBytes = 12;
const tagBytes = 16;
const sealedForm = /^v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]*)$/;

/** AES-256-GCM under a random IV: `v1.<key id>.<iv>.<tag>.<ciphertext>`, base64url. */
export function seal(masterKey: MasterKey, plaintext: string, binding: Binding): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', masterKey.sealing, iv, { authTagLength: tagBytes });
  cipher.setAAD(associatedData(binding));
  const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return [
    'v1',
    masterKey.id,
    ...[iv, cipher.getAuthTag(), ciphertext].map((part) => part.toString('base64url')),
  ].join('.');
}

/** The plaintext. Throws `credential_unreadable` for another key, another binding or a changed text. */
export function open(masterKey: MasterKey, sealed: string, binding: Binding): string {
  const [, keyId, iv, tag, ciphertext] = sealedForm.exec(sealed) ?? [];
  if (keyId === undefined || iv === undefined || tag === undefined || ciphertext === undefined) {
    throw credentialUnreadable(binding, 'is not in the sealed form; store it again through the admin API');
  }
  if (keyId !== masterKey.id) {
    throw credentialUnreadable(
      binding,
      `needs the master key ${keyId}, and this is ${masterKey.id}; start with that key or store it again`,
    );
  }
  const decipher = createDecipheriv('aes-256-gcm', masterKey.sealing, Buffer.from(iv, 'base64url'), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(associatedData(binding));
  decipher.setAuthTag(Buffer.from(tag, 'base64url'));
  try {
    return Buffer.concat([decipher.update(ciphertext, 'base64url'), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw credentialUnreadable(binding, 'was changed or sealed for something else; store it again', cause);
  }
}

// Each part with its length before it, so that no two bindings give the same bytes; no tenant is not an empty one.
function associatedData(binding: Binding): Buffer {
  return Buffer.concat(['v1', binding.tenant, binding.server, binding.name].map(lengthPrefixed));
}

function lengthPrefixed(part: string | null): Buffer {
  const bytes = Buffer.from(part ?? '', 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part === null ? 0xffffffff : bytes.length);
  return Buffer.concat([length, bytes]);
}
