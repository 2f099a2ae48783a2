import type { Target } from '../upstreams/target.ts';
import type { Known } from './known.ts';
import type { ListStore } from './list-store.ts';

/** The same, but for servers whose resources were never seen: they are looked at where no other server has it. */
export async function findOwner(
  uri: string,
  known: readonly Known[],
  lists: Pick<ListStore, 'peek' | 'settle'>,
  deadlineMs: number,
): Promise<Target | undefined> {
  const owner = ownerOf(uri, known);
  const unseen = known.filter((one) => one.lent !== undefined && !one.lists.has('templates'));
  if (owner || unseen.length === 0) return owner;
  for (const { target, prefer, capabilities } of unseen)
    lists.peek(target, prefer, capabilities, 'templates');
  await lists.settle(unseen, deadlineMs, 'templates');
  return ownerOf(uri, known);
}

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
