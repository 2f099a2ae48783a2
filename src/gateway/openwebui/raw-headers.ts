/** Names and values in turn, as `rawHeaders` has them: two headers of one name stay two. */
export type RawHeaders = readonly string[];

/** Each name with its value. */
export function pairsOf(raw: RawHeaders): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return pairs;
}
