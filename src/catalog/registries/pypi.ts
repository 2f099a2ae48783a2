import { z } from 'zod';
import { noSuchVersion, strangeAnswer } from '../errors.ts';
import type { Ask, Found } from './found.ts';

// PEP 691, or PEP 503 where a mirror has only pages; none of them has the JSON pages of pypi.org.
const accept = 'application/vnd.pypi.simple.v1+json, text/html;q=0.1';

const file = z.object({
  filename: z.string().max(500),
  hashes: z.record(z.string(), z.string()).default({}),
  yanked: z.union([z.boolean(), z.string()]).default(false),
});
type File = z.infer<typeof file>;
const project = z.object({ files: z.array(file) });

/** The version of a package of PyPI, by default the newest final one. */
export async function askPypi(ask: Ask, name: string, wanted: string | undefined): Promise<Found> {
  const response = await ask(`${name.toLowerCase().replaceAll(/[-_.]+/g, '-')}/`, { accept });
  if (response.status === 404) throw noSuchVersion(name, wanted);
  const text = await response.text();
  const all = text.trimStart().startsWith('{') ? listed(text) : linked(text);
  if (!response.ok || all === undefined) throw strangeAnswer('PyPI', name);
  const byVersion = Map.groupBy(
    all.filter(({ yanked }) => yanked === false),
    (one) => versionOf(one.filename),
  );
  const version = wanted ?? newest([...byVersion.keys()]);
  const files = version === undefined ? undefined : byVersion.get(version);
  if (version === undefined || files === undefined) throw noSuchVersion(name, wanted);
  return { version, digest: digestOf(files) };
}

function listed(text: string): File[] | undefined {
  try {
    return project.safeParse(JSON.parse(text)).data?.files;
  } catch {
    return undefined;
  }
}

/** PEP 503: one anchor for each file, with its hash after the URL. */
function linked(text: string): File[] | undefined {
  const anchors = [...text.matchAll(/<a\s([^>]{1,2000})>([^<]{1,500})<\/a>/gi)];
  if (anchors.length === 0) return undefined;
  return anchors.map(([, attributes = '', filename = '']) => {
    const sha256 = /#sha256=([0-9a-f]{64})/.exec(attributes)?.[1];
    return {
      filename: filename.trim(),
      hashes: sha256 === undefined ? {} : { sha256 },
      yanked: /\sdata-yanked/i.test(attributes),
    };
  });
}

/** `pkg-1.2.3-py3-none-any.whl` and `pkg-1.2.3.tar.gz` -> 1.2.3; empty for anything else. */
function versionOf(filename: string): string {
  if (filename.endsWith('.whl')) return filename.split('-')[1] ?? '';
  return /-([^-]+)\.(?:tar\.gz|zip)$/.exec(filename)?.[1] ?? '';
}

/** Of the file that everybody gets, where there is one. */
function digestOf(files: readonly File[]): string | null {
  const one = files.find(({ filename }) => filename.endsWith('-none-any.whl')) ?? files[0];
  const hash = one?.hashes['sha256'];
  return hash !== undefined && /^[0-9a-f]{64}$/.test(hash) ? `sha256:${hash}` : null;
}

/** The highest final version, else the highest there is. PEP 440, as far as plain versions go. */
function newest(versions: readonly string[]): string | undefined {
  const known = versions.filter((version) => /^\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?$/.test(version));
  const final = known.filter((version) => /^[\d.]+(?:\.post\d+)?$/.test(version));
  return (final.length > 0 ? final : known).sort(byNumbers).at(-1);
}

function byNumbers(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function numbersOf(version: string): number[] {
  return version.split(/\D+/).map(Number);
}
