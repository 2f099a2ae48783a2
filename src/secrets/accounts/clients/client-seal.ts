import { z } from 'zod';
import { type Binding, sharedOwner, tenantOwner } from '../../binding.ts';
import type { SecretBox } from '../../sealing/secret-box.ts';
import type { ClientPlace, ClientRow, StoredSource } from './clients-store.ts';

const clientSecret = z.object({
  clientId: z.string(),
  secret: z.string().nullable(),
  /** `token_endpoint_auth_method` that it was registered with; null: whatever the server's metadata says. */
  method: z.string().nullable(),
  /** What it was registered with; null for one that was not registered by the gate. */
  redirectUri: z.string().nullable(),
});
export type ClientSecret = z.infer<typeof clientSecret>;

interface Sealable extends ClientPlace {
  readonly source: StoredSource;
  readonly issuer: string;
}

export function sealClient(box: SecretBox, place: Sealable, secret: ClientSecret): string {
  return box.seal(JSON.stringify(secret), bindingOf(place));
}

/** Throws `credential_unreadable` for what was sealed for another server, tenant or issuer. */
export function openClient(
  box: SecretBox,
  row: Sealable & Pick<ClientRow, 'clientId' | 'sealed'>,
): ClientSecret {
  if (row.sealed === null) return { clientId: row.clientId, secret: null, method: null, redirectUri: null };
  return clientSecret.parse(JSON.parse(box.open(row.sealed, bindingOf(row))));
}

// The issuer is a part of it, so that no secret can be made to go to another authorization server.
function bindingOf({ tenant, server, source, issuer }: Sealable): Binding {
  const owner = tenant === null ? sharedOwner : tenantOwner(tenant);
  return { tenant, owner, server, name: `oauth:client ${source} ${issuer}` };
}
