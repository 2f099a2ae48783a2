import type { Db } from '../../../platform/db/index.ts';
import type { SecretBox } from '../../sealing/secret-box.ts';
import { sealClient } from './client-seal.ts';
import { type ClientPlace, putClient } from './clients-store.ts';

/** A client of the gate that an administrator registered by hand. */
export interface HandMadeClient {
  readonly clientId: string;
  /** Null for a public client. */
  readonly secret: string | null;
  readonly issuer: string;
}

/** Stores it within the transaction of the caller, who writes the audit entry of the row. The server has to be there. */
export async function storeClient(
  trx: Db,
  { box, by }: { readonly box: SecretBox; readonly by: string },
  place: ClientPlace,
  { clientId, secret, issuer }: HandMadeClient,
): ReturnType<typeof putClient> {
  const source = 'stored' as const;
  const whole = { clientId, secret, method: null, redirectUri: null };
  const sealed = secret === null ? null : sealClient(box, { ...place, source, issuer }, whole);
  return putClient(trx, { ...place, issuer, source, clientId, sealed, expiresAt: null, by });
}
