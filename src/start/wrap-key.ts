import { wrappedNewKey } from '../secrets/index.ts';

/** `toolgate keys wrap <place>`: prints a new entry of the key ring. The key itself is shown nowhere. */
export async function wrapKey(): Promise<void> {
  const { id, entry } = await wrappedNewKey(process.argv[3] ?? '');
  process.stderr.write(`The master key ${id}, as an entry for TOOLGATE_MASTER_KEY or its file:\n`);
  process.stdout.write(`${entry}\n`);
}
