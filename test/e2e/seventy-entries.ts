// Which 70 of the shipped entries are installed at once: by a rule, so that a changed catalog changes the choice and not
// the test. Knows nothing of a test framework.
import type { Way } from '../../src/catalog/contract.ts';
import { shippedEntries } from '../../src/catalog/entries/shipped.ts';
import { type Form, formsOf } from '../../src/catalog/install/forms.ts';

/** How many of each transport and kind of signing in. */
const wanted: Readonly<Record<string, number>> = {
  'sse bearer': 2,
  'sse oauth': 5,
  'stdio none': 4,
  'stdio api-key': 6,
  'stdio basic': 4,
  'stdio bearer': 2,
  'streamable-http none': 7,
  'streamable-http api-key': 8,
  'streamable-http basic': 2,
  'streamable-http bearer': 15,
  'streamable-http oauth': 15,
};

export interface Chosen {
  /** Id of the server. */
  readonly id: string;
  /** Its place among all. */
  readonly at: number;
  readonly form: Form;
}

/**
 * Scarce kinds first; of each kind first what signs in as no other does, then what has values among its arguments, then
 * whatever category has the fewest.
 */
export function seventyEntries(): Chosen[] {
  const forms = shippedEntries()
    .flatMap(formsOf)
    .filter(({ way }) => !isServed(way));
  const byKind = Map.groupBy(forms, ({ way, auth }) => `${way.type} ${auth}`);
  const kinds = Object.keys(wanted).sort(
    (a, b) => (byKind.get(a)?.length ?? 0) - (byKind.get(b)?.length ?? 0),
  );
  const chosen: Form[] = [];
  for (const kind of kinds)
    for (let n = 0; n < (wanted[kind] ?? 0); n++) chosen.push(next(byKind.get(kind) ?? [], chosen));
  return chosen
    .map((form) => ({ form, id: form.entry.serverId ?? form.entry.id }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((one, at) => ({ ...one, at }));
}

function next(candidates: readonly Form[], chosen: readonly Form[]): Form {
  const taken = new Set(chosen.map(({ entry }) => entry.id));
  const count = (same: (form: Form) => boolean) => chosen.filter(same).length;
  const [first] = candidates
    .filter(({ entry }) => !taken.has(entry.id))
    .map((form) => {
      const alike = count((one) => schemeOf(one) === schemeOf(form));
      const neighbours = count((one) => one.entry.category === form.entry.category);
      const isRare = form.fields.some(({ goesTo }) => goesTo.kind === 'argument');
      return { form, rank: neighbours - (alike === 0 ? 1000 : 0) - (isRare ? 100 : 0) };
    })
    .sort((a, b) => a.rank - b.rank || (a.form.entry.id < b.form.entry.id ? -1 : 1));
  if (!first) throw new Error('The catalog has too few servers of one kind.');
  return first.form;
}

/** Two forms with the same are signed in to alike. */
export function schemeOf({ entry, way, auth, fields }: Form): string {
  const secrets = fields.filter(({ secret, goesTo }) => secret && goesTo.kind !== 'account');
  const places = secrets.map(({ goesTo }) => goesTo.kind);
  const values = fields
    .filter(({ secret }) => !secret)
    .map(({ goesTo, format }) => `${goesTo.kind}-${format}`);
  const headers = entry.auth.headers.map(({ name, valueTemplate = '' }) =>
    `${name}: ${valueTemplate.replaceAll(/\{[^}]*\}/g, '…')}`.toLowerCase(),
  );
  const how = way.type === 'stdio' ? way.runtime : headers.join('; ');
  return [way.type, auth, how, ...places, ...new Set(values)].join(' ');
}

/** A container that somebody else runs and that listens on HTTP: no process of the gate. */
function isServed(way: Way): boolean {
  return way.type === 'stdio' && way.serves !== undefined;
}
