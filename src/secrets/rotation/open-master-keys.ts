import type { Clock } from '../../platform/clock.ts';
import type { Changes, Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import type { KeyRing } from '../master-keys/master-key-ring.ts';
import { createSecretBox, type SecretBox } from '../sealing/secret-box.ts';
import { type FollowedKeys, followMasterKeys, type KeyProblem } from './followed-keys.ts';
import { installationSecret } from './installation-secret.ts';
import { createRefusedSecrets } from './refused-secrets.ts';

/** What a process seals and opens with. */
export interface OpenMasterKeys {
  readonly keys: FollowedKeys;
  readonly box: SecretBox;
  /** 32 bytes that every process of the installation has, for what leaves a process and comes back. */
  readonly stateKey: Buffer;
  problem(): KeyProblem | null;
  close(): Promise<void>;
}

/** Puts a master key in force where there is none yet, and follows which one is from then on. */
export async function openMasterKeys(o: {
  readonly db: Db;
  readonly changes: Changes;
  readonly ring: KeyRing;
  readonly log: Log;
  readonly clock: Clock;
}): Promise<OpenMasterKeys> {
  const keys = await followMasterKeys(o);
  const refused = createRefusedSecrets(o);
  const box = createSecretBox(keys, (binding, sealed, error) => refused.refused(binding, sealed, error));
  // The name is part of what was derived from the master key before there was a secret of the installation.
  const stateKey = await installationSecret('sealed state', { ...o, keys, box });
  return {
    ...{ keys, box, stateKey },
    problem: () => keys.problem(),
    async close() {
      keys.close();
      await refused.close();
    },
  };
}
