import { z } from 'zod';
import { noSuchVersion, strangeAnswer } from '../errors.ts';
import type { Ask, Found } from './found.ts';

// The abbreviated form that npm itself asks for: every registry and mirror has it.
// https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
const accept = 'application/vnd.npm.install-v1+json';

const packageDocument = z.object({
  'dist-tags': z.record(z.string(), z.string()).default({}),
  versions: z.record(
    z.string(),
    z.object({ dist: z.object({ integrity: z.string().max(500).optional() }).optional() }),
  ),
});

/** The version of an npm package, by default the one tagged `latest`. */
export async function askNpm(ask: Ask, name: string, wanted: string | undefined): Promise<Found> {
  const response = await ask(name.replace('/', '%2f'), { accept });
  if (response.status === 404) throw noSuchVersion(name, wanted);
  const parsed = packageDocument.safeParse(await response.json().catch(() => null));
  if (!parsed.success) throw strangeAnswer('npm', name);
  const { versions, 'dist-tags': tags } = parsed.data;
  const version = wanted ?? tags['latest'] ?? '';
  const found = Object.hasOwn(versions, version) ? versions[version] : undefined;
  if (found === undefined) throw noSuchVersion(name, wanted);
  const integrity = found.dist?.integrity?.split(' ').find((one) => one.startsWith('sha512-'));
  return { version, digest: integrity ?? null };
}
