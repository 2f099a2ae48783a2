/**
 * A system that keeps keys and unwraps ours: entries of the key ring that begin with its name and a colon. Wrapped keys
 * come from the configuration alone, never from the database. Anybody can wrap a key for RSA-OAEP, as that takes only
 * the public half: whoever writes to the database could otherwise have secrets sealed under a key that they know.
 */
export interface KeySource {
  /** False for what cannot be an entry of this source; nothing is asked. */
  isEntry(entry: string): boolean;
  /** The master key, 32 bytes; the caller wipes them. Throws AppError `key_store_refused`, which says why. */
  unwrap(entry: string): Promise<Buffer>;
  /** The entry for a master key wrapped by the key that `place` names. Throws as `unwrap` does. */
  wrap(place: string, masterKey: Buffer): Promise<string>;
}
