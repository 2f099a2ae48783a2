const base = 'http://own.invalid';
const longest = 4_000;
/** Pages for people. Nothing else of this host: another program may answer there. */
const ours = /^\/(?:gateway|mcp-admin)(?:\/|$)/;

/**
 * Where a browser goes after signing in: a page of this program, whatever somebody put into the address. Anything that
 * a browser could take for another site is refused: `//host`, backslashes, control characters.
 */
export function ownPath(wanted: string | null | undefined, otherwise: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
  if (!wanted || wanted.length > longest || /[\\\u0000-\u001f\u007f]/.test(wanted)) return otherwise;
  if (!ours.test(wanted.split(/[?#]/)[0] ?? '')) return otherwise;
  const url = URL.parse(wanted, base);
  // Dot segments may have led out of it.
  if (url?.origin !== base || !ours.test(url.pathname)) return otherwise;
  return url.pathname + url.search;
}

/** Where to sign in, and come back from to `returnTo`. `anew`: as somebody else than before. */
export function signInPath(returnTo: string, { anew }: { readonly anew: boolean } = { anew: false }): string {
  return `/gateway/sign-in?${new URLSearchParams({ return: returnTo, ...(anew && { anew: '1' }) })}`;
}
