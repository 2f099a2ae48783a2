import { createHash } from 'node:crypto';
import type { Binding } from './binding.ts';
import type { MasterKey } from './master-key.ts';
import { open, seal } from './seal.ts';

/** Seals secrets for storage, each bound to what it belongs to. */
export interface SecretBox {
  /** Under the master key in force. Throws `master_key_missing` (409) while that key is not here. */
  seal(secret: string, binding: Binding): string;
  /** Throws `credential_unreadable` for a key that is not here, another binding or a changed text. */
  open(sealed: string, binding: Binding): string;
  /** Changes when the secret is replaced, and stays when only the master key around it changes. */
  versionOf(sealed: string): string;
  /** The id of the master key that a sealed text needs; null for what is not in the sealed form. */
  keyIdOf(sealed: string): string | null;
  /** Is that key here? */
  holds(keyId: string): boolean;
}

export function createSecretBox(masterKey: MasterKey): SecretBox {
  return {
    seal: (secret, binding) => seal(masterKey, secret, binding),
    open: (sealed, binding) => open(masterKey, sealed, binding),
    versionOf: (sealed) => createHash('sha256').update(sealed).digest('base64url').slice(0, 16),
    keyIdOf: (sealed) => /^v1\.([0-9a-f]{8})\./.exec(sealed)?.[1] ?? null,
    holds: (keyId) => keyId === masterKey.id,
  };
}
