import { createHash } from 'node:crypto';
import type { AppError } from '../../platform/errors.ts';
import type { Binding } from '../binding.ts';
import { credentialRefused, isRefusal } from '../errors.ts';
import type { MasterKeys } from '../master-keys/master-key.ts';
import { keyIdOf, open, payloadOf, seal } from './seal.ts';

/** Seals secrets for storage, each bound to what it belongs to. */
export interface SecretBox {
  /** Under the master key in force. Throws `master_key_missing` (409) while that key is not here. */
  seal(secret: string, binding: Binding): string;
  /** Throws `credential_unreadable` for a key that is not here, another binding or a changed text. */
  open(sealed: string, binding: Binding): string;
  /** Tells of a text that opened, but stands beside something that was not sealed with it; returns the error to throw. */
  refuse(sealed: string, binding: Binding, why: string): AppError;
  /** Changes when the secret is replaced, and stays when only the master key around it changes. */
  versionOf(sealed: string): string;
  /** The id of the master key that a sealed text needs; null for what is not in the sealed form. */
  keyIdOf(sealed: string): string | null;
  /** Is that key here? */
  holds(keyId: string): boolean;
}

/** Hears of each text that was not sealed for the place where it is; never throws. */
export type OnRefused = (binding: Binding, sealed: string, error: AppError) => void;

/** `keys`: those of the process, or a single one. */
export function createSecretBox(keys: MasterKeys, onRefused?: OnRefused): SecretBox {
  return {
    seal: (secret, binding) => seal(keys, secret, binding),
    open(sealed, binding) {
      try {
        return open(keys, sealed, binding);
      } catch (error) {
        if (isRefusal(error)) onRefused?.(binding, sealed, error);
        throw error;
      }
    },
    refuse(sealed, binding, why) {
      const error = credentialRefused(binding, why);
      onRefused?.(binding, sealed, error);
      return error;
    },
    versionOf: (sealed) => createHash('sha256').update(payloadOf(sealed)).digest('base64url').slice(0, 16),
    keyIdOf,
    holds: (keyId) => keys.get(keyId) !== undefined,
  };
}
