import { createCipheriv, randomBytes } from 'node:crypto';
import type { Binding } from '../src/secrets/binding.ts';
import type { MasterKey } from '../src/secrets/master-keys/master-key.ts';

/** As the program sealed before secrets had data keys of their own. */
export function firstForm(masterKey: MasterKey, secret: string, { tenant, server, name }: Binding): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', masterKey.sealing, iv);
  const associated = ['v1', tenant, server, name].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part === null ? 0xffffffff : Buffer.byteLength(part));
    return [length, Buffer.from(part ?? '')];
  });
  cipher.setAAD(Buffer.concat(associated));
  const ciphertext = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  const parts = [iv, cipher.getAuthTag(), ciphertext].map((part) => part.toString('base64url'));
  return ['v1', masterKey.id, ...parts].join('.');
}
