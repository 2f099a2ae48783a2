import type { Db } from '../../platform/db/index.ts';
import type { Binding } from '../binding.ts';
import { lastFourOf, refuseUnsendable } from './change-key.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import { putSealed } from './store.ts';

/**
 * Seals and stores a value within the transaction of the caller, who writes the audit entry: what comes back is what it
 * may hold. The owner and the server have to be there.
 */
export async function storeKey(
  trx: Db,
  { box, by }: { readonly box: SecretBox; readonly by: string },
  binding: Binding,
  value: string,
): Promise<{ name: string; lastFour: string }> {
  refuseUnsendable(value);
  const lastFour = lastFourOf(value);
  await putSealed(trx, { ...binding, sealed: box.seal(value, binding), lastFour, updatedBy: by });
  return { name: binding.name, lastFour };
}
