const longest = 24;

/** The id for a name of another program: lower case, `-` for everything else, at most 24 characters, not in `taken`. */
export function serverIdFor(name: string, taken: ReadonlySet<string>): string {
  const clean =
    name
      .normalize('NFKD')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'server';
  const short = clean.slice(0, longest).replace(/-+$/, '');
  if (!taken.has(short)) return short;
  for (let number = 2; ; number++) {
    const ending = `-${number}`;
    const next = `${short.slice(0, longest - ending.length).replace(/-+$/, '')}${ending}`;
    if (!taken.has(next)) return next;
  }
}
