import { type AuthKind, type CatalogEntry, type CatalogField, type Way, wayIds } from '../contract.ts';
import { fieldsOf } from './fields.ts';

/** One way to reach a server together with one way to sign in: everything that installing it asks for. */
export interface Form {
  readonly entry: CatalogEntry;
  /** Id of the way. */
  readonly transport: string;
  readonly way: Way;
  readonly auth: AuthKind;
  readonly fields: readonly CatalogField[];
  /** At least one of these has to be filled in; empty: the required ones are enough. */
  readonly oneOf: readonly string[];
}

/** Every form of an entry: its ways in their order, each with its kinds of signing in. */
export function formsOf(entry: CatalogEntry): Form[] {
  const ids = wayIds(entry);
  return entry.transports.flatMap((way, at) =>
    way.auth.map((auth) => makeForm(entry, { way, transport: ids[at] ?? '', auth })),
  );
}

/** The form of a way and a kind of signing in, by default the first one of the way; undefined: there is none. */
export function formOf(entry: CatalogEntry, transport: string, auth?: string): Form | undefined {
  const way = entry.transports[wayIds(entry).indexOf(transport)];
  const kind = auth === undefined ? way?.auth[0] : way?.auth.find((one) => one === auth);
  return way && kind && makeForm(entry, { way, transport, auth: kind });
}

function makeForm(entry: CatalogEntry, chosen: Pick<Form, 'way' | 'transport' | 'auth'>): Form {
  const { fields, oneOf } = fieldsOf(entry, chosen.way, chosen.auth);
  return { entry, ...chosen, fields, oneOf };
}
