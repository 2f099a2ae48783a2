import type { Db } from '../../platform/db/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { type Binding, sharedOwner } from '../binding.ts';
import { deriveKey } from '../master-keys/master-key.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { FollowedKeys } from './followed-keys.ts';
import { addInstallationSecret, loadInstallationSecret } from './installation-store.ts';

const secretBytes = 32;

/** No server has an empty id, so nothing that is stored for one can be put in its place. */
export function installationBinding(name: string): Binding {
  return { tenant: null, owner: sharedOwner, server: '', name };
}

/**
 * 32 bytes that every process of the installation has, and that stay when the master key changes. The first process
 * stores what was derived from the master key before there was such a secret, so that what it sealed stays valid. One
 * that cannot open it works with what it can derive, and says so: it does not understand the others, nor they it.
 */
export async function installationSecret(
  name: string,
  o: { readonly db: Db; readonly box: SecretBox; readonly keys: FollowedKeys; readonly log: Log },
): Promise<Buffer> {
  const derived = derivedSecret(name, o.keys);
  try {
    const sealed = (await loadInstallationSecret(o.db, name)) ?? (await store(name, derived, o));
    const secret = Buffer.from(o.box.open(sealed, installationBinding(name)), 'base64');
    if (secret.length === secretBytes) return secret;
    throw new AppError('credential_unreadable', 500, 'The secret of the installation has another length.');
  } catch (error) {
    const isOurs =
      error instanceof AppError && /^(?:credential_unreadable|master_key_missing)$/.test(error.code);
    if (!isOurs) throw error;
    o.log.error({ reason: error.message }, 'the secret of the installation cannot be opened');
    o.keys.note(
      'The secret of the installation cannot be opened: sessions and messages of other processes mean nothing to this one until it is started with the right master key.',
    );
    return derived;
  }
}

/** What the secret is at first, and what stands for it while it cannot be opened. */
function derivedSecret(name: string, keys: FollowedKeys): Buffer {
  const current = keys.rows().find(({ isCurrent }) => isCurrent);
  const key = (current && keys.get(current.id)) ?? keys.ring.held()[0]?.key;
  if (!key) throw new Error('a ring without a key'); // loadKeyRing does not make one.
  return deriveKey(key, name);
}

/** What is stored then, by this process or by another that was faster. */
async function store(name: string, secret: Buffer, { db, box }: { db: Db; box: SecretBox }): Promise<string> {
  const sealed = box.seal(secret.toString('base64'), installationBinding(name));
  return addInstallationSecret(db, name, sealed);
}
