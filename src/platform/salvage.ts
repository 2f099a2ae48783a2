import type { z } from 'zod';
import { check, formatPath, type Mistake } from './mistakes.ts';

/**
 * The value with its mistakes taken out, so that what remains can be checked further in the same round; null when
 * too little remains. A missing value, or one item of a list, takes the value around it along. Where `stubAt` gives
 * something for a path, that is put there instead, so that what refers to the place does not look wrong as well.
 */
export function salvage<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  stubAt: (path: readonly string[]) => unknown,
): z.output<Schema> | null {
  const draft = structuredClone(value);
  for (let round = 0; round < 5; round++) {
    const checked = check(schema, draft);
    if (checked.ok) return checked.value;
    for (const place of placesOf(draft, checked.mistakes)) takeOut(draft, place, stubAt(place));
  }
  return null;
}

/** What to take out, once each, decided before anything is. */
function placesOf(draft: unknown, mistakes: readonly Mistake[]): string[][] {
  const places = mistakes.map(({ path }) => {
    const depth = path.findIndex((key, index) => !holds(path.slice(0, index).reduce(child, draft), key));
    return path.slice(0, depth === -1 ? path.length : depth).map(String);
  });
  return [...new Map(places.map((place) => [formatPath(place), place])).values()];
}

/** A stub that is wrong itself, because its key is, goes at the second attempt. */
function takeOut(draft: unknown, place: readonly string[], stub: unknown): void {
  const key = place.at(-1);
  const parent = place.slice(0, -1).reduce(child, draft);
  if (key === undefined || !holds(parent, key)) return;
  if (stub === undefined || JSON.stringify(parent[key]) === JSON.stringify(stub)) delete parent[key];
  else parent[key] = stub;
}

function child(parent: unknown, key: string | number): unknown {
  return holds(parent, key) ? parent[key] : undefined;
}

function holds(parent: unknown, key: string | number): parent is Record<string, unknown> {
  return (
    typeof parent === 'object' && parent !== null && !Array.isArray(parent) && Object.hasOwn(parent, key)
  );
}
