// Which strings of a result may become shorter without making it invalid. Schemas come from servers: everything here is
// bounded, nothing is fetched, and what cannot be followed only means that a string stays as it is.
import { isObject } from '../rpc/message.ts';

type Path = readonly (string | number)[];
type Schema = Readonly<Record<string, unknown>>;

/** What a string says by more than its words. The last two: half of what is encoded is not half of what it means. */
const onString = ['maxLength', 'pattern', 'format', 'enum', 'const', 'contentEncoding', 'contentMediaType'];
/** Of what lies around it: equal to nothing but itself, or no two alike, which two that begin alike may become. */
const around = ['enum', 'const', 'uniqueItems'];
const inPlace = ['not', 'if', 'then', 'else'];
const inPlaceLists = ['allOf', 'anyOf', 'oneOf'];
const ofItems = ['additionalItems', 'unevaluatedItems', 'contains'];
const ofNames = ['dependentSchemas', 'dependencies'];
/** What stays of a string, and the note, are never less. In code points. */
const leastLeft = 50;
const deepest = 60;
const mostSchemas = 500;
const mostInAll = 100_000;

/**
 * Tells of a place in a value whether a string there may be cut, by the schema of the value (2020-12 and draft-07
 * spellings). Conditions are not weighed: what any part of the schema asks of a string there, it may ask.
 */
export function freeStrings(root: unknown): (path: Path) => boolean {
  let inAll = mostInAll;
  return (path) => {
    const look = new Look(root, path, Math.min(mostSchemas, inAll));
    const isFree = look.isFree(root, 0, 0);
    inAll -= look.taken;
    return isFree;
  };
}

class Look {
  readonly #root: unknown;
  readonly #path: Path;
  readonly #most: number;
  taken = 0;

  constructor(root: unknown, path: Path, most: number) {
    this.#root = root;
    this.#path = path;
    this.#most = most;
  }

  /** `at`: how much of the path leads to the value that this schema is of. */
  isFree(schema: unknown, at: number, depth: number): boolean {
    if (schema === undefined) return true;
    if (depth > deepest || ++this.taken > this.#most) return false;
    if (!isObject(schema)) return true;
    // A document of its own: its references lead elsewhere.
    if (schema !== this.#root && typeof schema['$id'] === 'string') return false;
    const step = this.#path[at];
    const asks = step === undefined ? onString : around;
    if (asks.some((key) => says(schema, key))) return false;
    if (step === undefined && Number(schema['minLength'] ?? 0) > leastLeft) return false;
    const here = [
      ...listed(schema, inPlace, inPlaceLists),
      ...ofNames.flatMap((key) => valuesOf(schema[key])),
    ];
    const below = step === undefined ? [] : childrenOf(schema, step);
    return (
      here.every((one) => this.isFree(one, at, depth + 1)) &&
      below.every((one) => this.isFree(one, at + 1, depth + 1)) &&
      this.#referred(schema, at, depth)
    );
  }

  #referred(schema: Schema, at: number, depth: number): boolean {
    return ['$ref', '$dynamicRef', '$recursiveRef'].every((key) => {
      const reference = schema[key];
      if (reference === undefined) return true;
      const found = typeof reference === 'string' ? resolve(this.#root, reference) : undefined;
      return found !== undefined && this.isFree(found, at, depth + 1);
    });
  }
}

function says(schema: Schema, key: string): boolean {
  return Object.hasOwn(schema, key) && schema[key] !== false;
}

function listed(schema: Schema, single: readonly string[], lists: readonly string[]): unknown[] {
  const of = (key: string): unknown[] => (Array.isArray(schema[key]) ? schema[key] : []);
  return [...single.map((key) => schema[key]), ...lists.flatMap(of)];
}

function childrenOf(schema: Schema, step: string | number): unknown[] {
  if (typeof step === 'number') {
    const { items } = schema;
    const own = Array.isArray(items) ? items : [items];
    // Draft-07 has the places in `items`, 2020-12 in `prefixItems`; all of them are looked at.
    return [...own, ...listed(schema, ofItems, ['prefixItems'])];
  }
  const { properties, patternProperties, additionalProperties, unevaluatedProperties } = schema;
  const isNamed = isObject(properties) && Object.hasOwn(properties, step);
  // Which names a pattern fits is not tried: an expression of a stranger may run for ever.
  const own = isNamed ? properties[step] : additionalProperties;
  return [own, ...valuesOf(patternProperties), unevaluatedProperties];
}

/** Each string asks the same parts of a schema, some of which have many members. */
const values = new WeakMap<object, readonly unknown[]>();

function valuesOf(value: unknown): readonly unknown[] {
  if (!isObject(value)) return [];
  const found = values.get(value) ?? Object.values(value);
  values.set(value, found);
  return found;
}

/** The part of the document that a local JSON Pointer names (RFC 6901). */
function resolve(root: unknown, reference: string): unknown {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined;
  let found = root;
  for (const token of reference.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const holds = (isObject(found) || Array.isArray(found)) && Object.hasOwn(found, key);
    if (!holds) return undefined;
    found = (found as Record<string, unknown>)[key]; // an object or a list that has it
  }
  return found;
}
