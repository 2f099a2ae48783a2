import type { Target } from '../upstreams/target.ts';
import type { Known } from './list-store.ts';

/** The server that lists the URI, or has a template which it fits. URIs stay as their servers wrote them. */
export function ownerOf(uri: string, known: readonly Known[]): Target | undefined {
  const exact = known.find((one) => one.lists.get('resources')?.some((item) => item.key === uri));
  const byTemplate = known.find((one) =>
    one.lists.get('templates')?.some((item) => item.key === uri || matches(item.key, uri)),
  );
  return (exact ?? byTemplate)?.target;
}

/** Does the URI fit the template (RFC 6570)? Every expression stands for any text; literals must match in order. */
function matches(template: string, uri: string): boolean {
  const literals = template.split(/\{[^{}]*\}/);
  const [first = '', ...rest] = literals;
  if (!uri.startsWith(first)) return false;
  const last = rest.pop();
  if (last === undefined) return uri === first;
  let at = first.length;
  for (const literal of rest) {
    const found = uri.indexOf(literal, at);
    if (found < 0) return false;
    at = found + literal.length;
  }
  return uri.length - last.length >= at && uri.endsWith(last);
}
