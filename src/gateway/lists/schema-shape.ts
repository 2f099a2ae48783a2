// Which arguments a JSON Schema lets in, wherever in its root it says so. Schemas come from servers: everything here is
// bounded, nothing is ever fetched, and what cannot be followed only means that more arguments may exist.
import { elementsOf, findMember, type Member, membersOf } from '../rpc/raw.ts';

/** What an object of this schema may hold. */
interface Shape {
  /** JSON text of each property's schema, in the order in which they are met. */
  readonly properties: ReadonlyMap<string, string>;
  /** Those that every such object must hold. */
  readonly required: ReadonlySet<string>;
  /** It takes keys that no property names, and says so. */
  readonly takesOthers: boolean;
}

const deepest = 8;
const mostSchemas = 200;
const mostProperties = 500;
const mostCharacters = 200_000;

/** The shape of a root schema, JSON text of an object (2020-12 and draft-07 spellings). */
export function shapeOf(rawSchema: string): Shape {
  const shape = new Reader(rawSchema).read(rawSchema, 0);
  const properties = new Map(shape.properties);
  for (const key of shape.required) if (!properties.has(key)) properties.set(key, '{}');
  const takesOthers = shape.takesOthers || (shape.isOpen && properties.size === 0);
  return { properties, required: shape.required, takesOthers };
}

interface Found extends Shape {
  /** `additionalProperties` is true or says nothing of them: only a schema without properties means it by that. */
  readonly isOpen: boolean;
}

const nothing: Found = { properties: new Map(), required: new Set(), takesOthers: false, isOpen: false };
const unreadable: Found = { ...nothing, takesOthers: true };

/** Reads one root and the parts that it refers to. */
class Reader {
  readonly #root: string;
  #left = mostSchemas;
  #characters = mostCharacters;

  constructor(root: string) {
    this.#root = root;
  }

  read(raw: string, depth: number): Found {
    if (!raw.startsWith('{')) return nothing;
    if (depth > deepest || --this.#left < 0) return unreadable;
    const members = membersOf(raw);
    const part = (key: string): string | undefined => {
      const span = findMember(members, key);
      return span && raw.slice(span.start, span.end);
    };
    const every = (key: string): Found[] => elements(part(key)).map((one) => this.read(one, depth + 1));
    const some = (key: string): Found =>
      either(
        elements(part(key))
          .filter(mayBeObject)
          .map((one) => this.read(one, depth + 1)),
      );
    return both([
      this.#own(part, depth),
      this.#referred(part('$ref'), depth),
      ...every('allOf'),
      some('oneOf'),
      some('anyOf'),
      this.#conditional(part, depth),
      this.#dependent(part, depth),
    ]);
  }

  #own(part: (key: string) => string | undefined, depth: number): Found {
    const raw = part('properties') ?? '{}';
    const properties = new Map(entries(raw));
    // What stands at the top goes to the client anyway; the bounds are for what is copied there.
    if (depth > 0) {
      this.#characters -= raw.length;
      if (properties.size > mostProperties || this.#characters < 0) return unreadable;
    }
    const others = [part('additionalProperties'), part('unevaluatedProperties')];
    const isTyped = others.some((one) => one?.startsWith('{') && entries(one).length > 0);
    const hasPatterns = entries(part('patternProperties') ?? '{}').length > 0;
    const isOpen = others.some(
      (one) => one === 'true' || (one?.startsWith('{') && entries(one).length === 0),
    );
    return { properties, required: strings(part('required')), takesOthers: isTyped || hasPatterns, isOpen };
  }

  /** Within the same document only; what is elsewhere stays unknown. */
  #referred(raw: string | undefined, depth: number): Found {
    if (raw === undefined) return nothing;
    const pointer: unknown = JSON.parse(raw);
    const found = typeof pointer === 'string' ? resolve(this.#root, pointer) : undefined;
    // The root within itself adds nothing.
    if (found === this.#root) return nothing;
    return found === undefined ? unreadable : this.read(found, depth + 1);
  }

  /** What `then` or `else` ask for may be given; what both ask for must be. Their condition only looks. */
  #conditional(part: (key: string) => string | undefined, depth: number): Found {
    const condition = part('if');
    if (condition === undefined) return nothing;
    const branches = [part('then') ?? '{}', part('else') ?? '{}'].map((one) => this.read(one, depth + 1));
    const looked = this.read(condition, depth + 1);
    const anything = [...looked.properties.keys()].map((key) => [key, '{}'] as const);
    return both([either(branches), { ...nothing, properties: new Map(anything) }]);
  }

  #dependent(part: (key: string) => string | undefined, depth: number): Found {
    const schemas = ['dependentSchemas', 'dependencies'].flatMap((key) => entries(part(key) ?? '{}'));
    const found = schemas.map(([, raw]) => this.read(raw, depth + 1));
    return { ...both(found), required: new Set() };
  }
}

/** All of them hold. The first to name a property says what it is: the others only narrow it. */
function both(all: readonly Found[]): Found {
  const properties = new Map<string, string>();
  for (const one of all) {
    for (const [key, raw] of one.properties) {
      const known = properties.get(key);
      if (known === undefined || known === '{}') properties.set(key, raw);
    }
  }
  const required = new Set(all.flatMap((one) => [...one.required]));
  return { properties, required, ...opennessOf(all) };
}

/** One of them holds: a property that differs may be any of its forms. */
function either(all: readonly Found[]): Found {
  const forms = new Map<string, Set<string>>();
  for (const { properties } of all) {
    for (const [key, raw] of properties) forms.set(key, (forms.get(key) ?? new Set()).add(raw));
  }
  const properties = new Map([...forms].map(([key, raws]) => [key, anyOf([...raws])] as const));
  const [first = nothing, ...rest] = all;
  const required = [...first.required].filter((key) => rest.every((one) => one.required.has(key)));
  return { properties, required: new Set(required), ...opennessOf(all) };
}

function anyOf(raws: readonly string[]): string {
  const [only] = raws;
  return raws.length === 1 && only !== undefined ? only : `{"anyOf":[${raws.join(',')}]}`;
}

function opennessOf(all: readonly Found[]): Pick<Found, 'takesOthers' | 'isOpen'> {
  return { takesOthers: all.some((one) => one.takesOthers), isOpen: all.some((one) => one.isOpen) };
}

/** Arguments are always an object: a branch for null or a list says nothing about them. */
function mayBeObject(raw: string): boolean {
  const type = entries(raw).findLast(([key]) => key === 'type')?.[1];
  return type === undefined || type === '"object"' || strings(type).has('object');
}

/** The part of a document that a local JSON Pointer names (RFC 6901). */
function resolve(root: string, reference: string): string | undefined {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined;
  let raw = root;
  for (const token of reference.split('/').slice(1)) {
    const key = unescaped(token);
    const next = key === undefined ? undefined : childOf(raw, key);
    if (next === undefined) return undefined;
    raw = next;
  }
  return raw;
}

function childOf(raw: string, key: string): string | undefined {
  if (raw.startsWith('[')) return elements(raw)[Number(key)];
  return entries(raw).findLast(([name]) => name === key)?.[1];
}

function unescaped(token: string): string | undefined {
  try {
    return decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    // Not percent-encoded as a URI fragment must be, so it names nothing.
    return undefined;
  }
}

function entries(raw: string): [key: string, raw: string][] {
  if (!raw.startsWith('{')) return [];
  return membersOf(raw).map((member: Member) => [member.key, raw.slice(member.start, member.end)]);
}

function elements(raw: string | undefined): string[] {
  if (raw === undefined || !raw.startsWith('[')) return [];
  return elementsOf(raw).map(({ start, end }) => raw.slice(start, end));
}

function strings(raw: string | undefined): Set<string> {
  if (raw === undefined || !raw.startsWith('[')) return new Set();
  const list: unknown = JSON.parse(raw);
  return new Set(Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []);
}
