import { createHash } from 'node:crypto';

/**
 * Names on the merged endpoint: `{server}__{tool}`. Model APIs allow 64 characters of [A-Za-z0-9_-], and
 * clients put a prefix of their own before it, so 47 are left.
 */
export const longestName = 47;
const separator = '__';
const hashLength = 6;
const hashed = /_h[0-9a-z]{6}$/;

/** The merged name of a tool or prompt; what is too long or has other characters ends in a hash of the whole. */
export function mergedName(server: string, name: string): string {
  const whole = `${server}${separator}${name}`;
  const safe = whole.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  if (safe === whole && whole.length <= longestName && !hashed.test(whole)) return whole;
  const hash = BigInt(`0x${createHash('sha256').update(whole).digest('hex').slice(0, 12)}`)
    .toString(36)
    .padStart(hashLength, '0')
    .slice(-hashLength);
  return `${safe.slice(0, longestName - hashLength - 2)}_h${hash}`;
}

// A memo of a pure function: lists are replaced as a whole, and it dies with them.
const shortened = new WeakMap<readonly Named[], ReadonlyMap<string, string>>();

interface Named {
  readonly key: string;
}

/** The server's own name for a merged name that was shortened; undefined when no item of the list has it. */
export function unshortened(server: string, items: readonly Named[], merged: string): string | undefined {
  const known =
    shortened.get(items) ??
    new Map(
      items.map(({ key }) => [mergedName(server, key), key] as const).filter(([name]) => hashed.test(name)),
    );
  shortened.set(items, known);
  return known.get(merged);
}

/** Server id and the rest of a merged name. Server ids hold no underscore, so the first `__` is the one. */
export function splitName(merged: string): { server: string; rest: string; isHashed: boolean } | undefined {
  const at = merged.indexOf(separator);
  if (at <= 0) return undefined;
  return {
    server: merged.slice(0, at),
    rest: merged.slice(at + separator.length),
    isHashed: hashed.test(merged),
  };
}
