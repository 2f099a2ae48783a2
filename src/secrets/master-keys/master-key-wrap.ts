import { randomBytes } from 'node:crypto';
import { openSource, sourceNameOf, sourceNames } from './sources/index.ts';
import { keyBytes, MasterKey } from './master-key.ts';
import { keyStoreRefused } from './master-key-errors.ts';

/**
 * A master key that nobody has seen, as an entry for the key ring: wrapped by the key that `place` names, for instance
 * `azure:https://acme.vault.azure.net/keys/toolgate/<version>`. It is unwrapped once, to see that it can be.
 */
export async function wrappedNewKey(place: string): Promise<{ readonly id: string; readonly entry: string }> {
  const source = await openSource(sourceNameOf(place) ?? '');
  if (!source)
    throw keyStoreRefused(
      `Say which key wraps it: one of ${sourceNames.join(', ')}, a colon and the key’s address.`,
    );
  const bytes = randomBytes(keyBytes);
  const entry = await source.wrap(place, bytes);
  const again = await source.unwrap(entry);
  const isSame = bytes.equals(again);
  const { id } = new MasterKey(bytes);
  bytes.fill(0);
  again.fill(0);
  if (!isSame)
    throw keyStoreRefused('The key that came back from unwrapping is not the one that was wrapped.');
  return { id, entry };
}
