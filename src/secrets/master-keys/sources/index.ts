// Where master keys may be kept besides the configuration itself. Another system is a file here and a line below.
import type { KeySource } from './contract.ts';

/** Loaded by those who use it: each brings a library along. */
const sources: Readonly<Record<string, () => Promise<KeySource>>> = {
  azure: async () => (await import('./azure.ts')).azureKeyVault(),
};

/** How the sources are called, for messages. */
export const sourceNames: readonly string[] = Object.keys(sources);

/** The name of the source that an entry, or a place to wrap a key at, is for. Null for a plain key. */
export function sourceNameOf(entry: string): string | null {
  return /^([a-z]+):/.exec(entry)?.[1] ?? null;
}

/** Makes the source of that name; undefined when there is none. */
export type OpenSource = (name: string) => Promise<KeySource | undefined>;

export const openSource: OpenSource = async (name) =>
  Object.hasOwn(sources, name) ? sources[name]?.() : undefined;
