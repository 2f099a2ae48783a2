export function nested<T>(triples: readonly [string, string, T][]): Map<string, Map<string, T>> {
  const outer = new Map<string, Map<string, T>>();
  for (const [first, second, value] of triples) {
    const inner = outer.get(first) ?? new Map<string, T>();
    outer.set(first, inner.set(second, value));
  }
  return outer;
}

export function index<T>(
  items: Iterable<T>,
  keysOf: (item: T) => readonly string[],
): Map<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) for (const key of new Set(keysOf(item))) append(found, key, item);
  return found;
}

export function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
