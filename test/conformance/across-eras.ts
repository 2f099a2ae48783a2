// A table: scenarios that no gate can carry from one era to the other, and why. A scenario that is not here must end
// as it does without a gate; one that is here and does so all the same is taken out.

/** Which side speaks which era: `client-server`. */
export type Cell = 'legacy-legacy' | 'legacy-modern' | 'modern-legacy' | 'modern-modern';

export const cells: readonly Cell[] = ['legacy-legacy', 'modern-modern', 'legacy-modern', 'modern-legacy'];

/** Scenario -> why its result changes. */
export const explained: Readonly<Record<Cell, Readonly<Record<string, string>>>> = {
  'legacy-legacy': {},
  'modern-modern': {},
  'legacy-modern': {},
  'modern-legacy': {},
};
