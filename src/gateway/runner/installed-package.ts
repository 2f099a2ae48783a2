import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { askedPackage } from './packages/asked-package.ts';

interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

export const manifest = z.object({
  name: z.string(),
  version: z.string(),
  bin: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
});

/**
 * What npx would start, where exactly this version of the package is installed in the first of the directories in
 * which commands are looked for. Nothing is fetched then, so it starts at once, and without a network.
 */
export function installedInstead({ command, args }: Command, [binDir]: readonly string[]): Command {
  const asked = binDir?.endsWith(path.join('node_modules', '.bin'))
    ? askedPackage({ command, args })
    : undefined;
  if (binDir === undefined || asked?.fetcher !== 'npx') return { command, args };
  const found = readManifest(path.join(binDir, '..', asked.name));
  if (found?.version !== asked.version) return { command, args };
  const bin = asked.bin ?? binOf(found);
  return bin === undefined ? { command, args } : { command: bin, args: asked.rest };
}

function readManifest(folder: string): z.infer<typeof manifest> | undefined {
  try {
    return manifest.safeParse(JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))).data;
  } catch {
    return undefined; // It is not installed there.
  }
}

/** As npx chooses: the only one, else the one that is called like the package. */
export function binOf({ name, bin }: z.infer<typeof manifest>): string | undefined {
  const own = name.replace(/^@[^/]*\//, '');
  if (typeof bin === 'string') return own;
  const names = Object.keys(bin ?? {});
  return names.length === 1 ? names[0] : names.find((one) => one === own);
}
