import { createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';

export const keyBytes = 32;

/** The master keys that a process may use, by their ids. */
export interface MasterKeys {
  /** The one that new secrets are sealed under. Throws `master_key_missing` (409) while it is not here. */
  current(): MasterKey;
  /** Undefined when it is not here, or retired. */
  get(id: string): MasterKey | undefined;
}

/**
 * A key that secrets are sealed under; by itself also the smallest set of keys. It prints as `[master key <id>]`,
 * however it is printed. The bytes are kept by the crypto library alone, outside of what a heap snapshot shows.
 */
export class MasterKey implements MasterKeys {
  /** Eight hex digits of a hash of the key: tells two keys apart and gives nothing away. */
  readonly id: string;
  /** For `seal.ts` only: wraps the data keys of secrets. */
  readonly wrapping: KeyObject;
  /** For `seal.ts` only: opens what the first form sealed with the key itself. */
  readonly sealing: KeyObject;
  readonly #root: KeyObject;

  /** `bytes` are copied; whoever made them wipes them. */
  constructor(bytes: Buffer) {
    this.#root = createSecretKey(bytes);
    this.id = createHash('sha256').update('toolgate master key id\0').update(bytes).digest('hex').slice(0, 8);
    this.wrapping = this.#keyFor('wrap v2');
    this.sealing = this.#keyFor('seal v1');
  }

  /** 32 bytes for one use of the key (HKDF-SHA256, RFC 5869); features call `deriveKey`. */
  derive(info: string): Buffer {
    // The salt may be empty: the key is uniformly random already.
    return Buffer.from(hkdfSync('sha256', this.#root, '', `toolgate ${info}`, keyBytes));
  }

  current(): MasterKey {
    return this;
  }

  get(id: string): MasterKey | undefined {
    return id === this.id ? this : undefined;
  }

  toString(): string {
    return `[master key ${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }

  #keyFor(info: string): KeyObject {
    const bytes = this.derive(info);
    const key = createSecretKey(bytes);
    bytes.fill(0);
    return key;
  }
}

/** 32 bytes for another feature's purpose. A leaked one tells nothing about the master key or other purposes. */
export function deriveKey(masterKey: MasterKey, purpose: string): Buffer {
  return masterKey.derive(`purpose ${purpose}`);
}
