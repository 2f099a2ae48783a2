// JSON Schema as mcpo 0.0.20 understands it: a tree of types from which the OpenAPI document is printed and by which
// arguments are checked. Schemas come from servers: everything is bounded, nothing is fetched, and what cannot be
// understood lets anything through, because the server checks its own arguments anyway.
import { shapeOf } from '../../lists/schema-shape.ts';
import { isObject } from '../../rpc/message.ts';

/** Parsed JSON of an object. */
export type Json = Readonly<Record<string, unknown>>;

export type Scalar = 'string' | 'integer' | 'number' | 'boolean' | 'null';

/** `kept`: what the schema says beyond the type (enum, format, bounds …). mcpo drops it; models do better with it. */
export type Type =
  | {
      readonly kind: 'any';
      readonly kept: Json;
      readonly oneOf: readonly Type[];
      readonly allOf: readonly Type[];
    }
  | { readonly kind: Scalar; readonly kept: Json }
  | { readonly kind: 'map'; readonly kept: Json; readonly values: Type | undefined }
  | { readonly kind: 'list'; readonly kept: Json; readonly items: Type | undefined }
  | { readonly kind: 'union'; readonly kept: Json; readonly options: readonly Type[] }
  | Model;

/** An object with named fields: a component of the document. */
export interface Model {
  readonly kind: 'model';
  /** As mcpo names it: by its way from the tool. */
  readonly name: string;
  readonly fields: readonly Field[];
  /** Takes keys that no field names, and says so. */
  readonly isOpen: boolean;
}

export interface Field {
  readonly name: string;
  readonly type: Type;
  readonly isRequired: boolean;
  readonly description: string;
  /** What is sent when the field is left out, parsed; undefined: nothing is. */
  readonly standard: unknown;
}

const deepest = 16;
const deepestText = 200;
const mostNodes = 2_000;
/** What is printed of a schema, in characters: parts that it refers to often must not make a small one a huge one. */
const sizeOf = (rawSchema: string) => 20_000 + 10 * rawSchema.length;

/** The model of a tool's arguments or result. `rawSchema` is JSON text; anything but an object stands for no fields. */
export function readModel(rawSchema: string, name: string): Model {
  if (!rawSchema.startsWith('{')) return { kind: 'model', name, fields: [], isOpen: false };
  if (isDeep(rawSchema)) return { kind: 'model', name, fields: [], isOpen: true };
  const { properties, required, takesOthers } = shapeOf(rawSchema);
  const reader = new Reader(JSON.parse(rawSchema), sizeOf(rawSchema));
  const fields = [...properties].map(([key, raw]) =>
    reader.field(JSON.parse(raw), { name: key, prefix: name, isRequired: required.has(key) }),
  );
  return { kind: 'model', name, fields, isOpen: takesOthers };
}

/** So many levels that printing the schema again could use up the stack. */
function isDeep(raw: string): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < raw.length && depth <= deepestText; at++) {
    const mark = raw[at];
    if (mark === '"') isText = !isText;
    else if (isText) at += mark === '\\' ? 1 : 0;
    else if (mark === '{' || mark === '[') depth++;
    else if (mark === '}' || mark === ']') depth--;
  }
  return depth > deepestText;
}

interface Place {
  readonly prefix: string;
  readonly name: string;
}

class Reader {
  readonly #root: unknown;
  #left = mostNodes;
  #characters: number;
  readonly #printed = new Map<unknown, { readonly kept: Json; readonly size: number }>();
  /** What is being read at the moment: a schema that refers to itself has no end. */
  readonly #within: unknown[] = [];

  constructor(root: unknown, characters: number) {
    this.#root = root;
    this.#characters = characters;
  }

  field(schema: unknown, at: Place & { readonly isRequired: boolean }): Field {
    const { name, isRequired } = at;
    const own = isObject(schema) ? schema : {};
    const meant = this.#referred(own) ?? {};
    const described = [own['description'], meant['description']].find((one) => typeof one === 'string');
    const description = typeof described === 'string' ? described : '';
    const standard = isRequired ? undefined : (own['default'] ?? meant['default'] ?? undefined);
    // Name and title.
    this.#spend(2 * name.length);
    return {
      name,
      isRequired,
      type: this.#type(schema, at),
      description: this.#spend(description.length) ? description : '',
      standard: this.#characters > 0 && this.#spend(textOf(standard ?? '').length) ? standard : undefined,
    };
  }

  /** False when there is no room for so many characters more. */
  #spend(characters: number): boolean {
    this.#characters -= characters;
    return this.#characters >= 0;
  }

  #type(schema: unknown, at: Place): Type {
    if (!isObject(schema) || this.#within.length > deepest || --this.#left < 0) return anything();
    // Models are named by the way to them, in two places.
    if (!this.#spend(2 * (at.prefix.length + at.name.length))) return anything();
    const meant = this.#referred(schema);
    if (meant === undefined || this.#within.includes(meant)) return anything();
    this.#within.push(meant);
    const type = this.#typed(meant, at);
    this.#within.pop();
    return type;
  }

  #typed(schema: Json, at: Place): Type {
    const { anyOf, type } = schema;
    const kept = this.#keptOf(schema);
    if (Array.isArray(anyOf) && anyOf.length > 0) return union(kept, this.#choices(anyOf, at));
    if (Array.isArray(type) && type.length > 0)
      return union(
        kept,
        [...new Set(type)].slice(0, mostTypes).map((one) => this.#single({ ...schema, type: one }, at, {})),
      );
    return this.#single(schema, at, kept);
  }

  /** Read once for each part, however often it is referred to. */
  #keptOf(schema: Json): Json {
    const known = this.#printed.get(schema) ?? printedOf(schema);
    this.#printed.set(schema, known);
    return this.#spend(known.size) ? known.kept : {};
  }

  #single(schema: Json, at: Place, kept: Json): Type {
    switch (schema['type']) {
      case 'object':
        return this.#object(schema, at, kept);
      case 'array': {
        const { items } = schema;
        const inner = { prefix: `${at.prefix}_${at.name}`, name: 'item' };
        return { kind: 'list', kept, items: isObject(items) ? this.#type(items, inner) : undefined };
      }
      case 'string':
      case 'integer':
      case 'number':
      case 'boolean':
      case 'null':
        return { kind: schema['type'], kept };
      default:
        return {
          kind: 'any',
          kept,
          oneOf: this.#parts(schema, 'oneOf', at),
          allOf: this.#parts(schema, 'allOf', at),
        };
    }
  }

  #object(schema: Json, at: Place, kept: Json): Type {
    const properties = isObject(schema['properties']) ? schema['properties'] : {};
    const others = schema['additionalProperties'];
    const inner = { prefix: `${at.prefix}_${at.name}`, name: 'value' };
    const isTyped = isObject(others) && Object.keys(others).length > 0;
    if (Object.keys(properties).length === 0)
      return { kind: 'map', kept, values: isTyped ? this.#type(others, inner) : undefined };
    const prefix = `${at.prefix}_${at.name}_model`.replaceAll('__', '_').replace(/_+$/, '');
    const required = new Set<unknown>(Array.isArray(schema['required']) ? schema['required'] : []);
    const fields = Object.entries(properties).map(([name, one]) =>
      this.field(one, { name, prefix, isRequired: required.has(name) }),
    );
    return {
      kind: 'model',
      name: prefix,
      fields,
      isOpen: others === true || isTyped || 'patternProperties' in schema,
    };
  }

  #choices(options: readonly unknown[], at: Place): Type[] {
    const prefix = `${at.prefix}_${at.name}`;
    return options.map((one, index) => this.#type(one, { prefix, name: `choice_${index}` }));
  }

  #parts(schema: Json, key: 'oneOf' | 'allOf', at: Place): Type[] {
    const parts = schema[key];
    return Array.isArray(parts) ? this.#choices(parts, { ...at, name: `${at.name}_${key}` }) : [];
  }

  /** The schema itself, or the one that it refers to within the document; undefined when there is none. */
  #referred(schema: Json): Json | undefined {
    let found: unknown = schema;
    for (let hops = 0; hops < deepest && isObject(found); hops++) {
      const reference = found['$ref'];
      if (typeof reference !== 'string') return found;
      found = this.#at(reference);
    }
    return undefined;
  }

  /** RFC 6901, within the same document. */
  #at(reference: string): unknown {
    if (!reference.startsWith('#/')) return undefined;
    const keys = reference.slice(2).split('/');
    return keys.reduce<unknown>((value, key) => {
      const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
      if (Array.isArray(value)) return value[Number(name)];
      return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    }, this.#root);
  }
}

function anything(): Type {
  return { kind: 'any', kept: {}, oneOf: [], allOf: [] };
}

function union(kept: Json, options: readonly Type[]): Type {
  const [only] = options;
  return options.length === 1 && only ? only : { kind: 'union', kept, options };
}

/** JSON has seven of them. */
const mostTypes = 7;

const isText = (value: unknown) => typeof value === 'string';
const isNumber = (value: unknown) => typeof value === 'number';
const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 0;
const isList = (value: unknown) => Array.isArray(value) && value.length > 0;

/** Keywords without schemas in them, each with what makes it one: an older draft spells some of them differently. */
const keywords = new Map<string, (value: unknown) => boolean>([
  ['enum', isList],
  ['const', (value) => value !== undefined],
  ['examples', isList],
  ['format', isText],
  ['pattern', isText],
  ['contentEncoding', isText],
  ['contentMediaType', isText],
  ['minimum', isNumber],
  ['maximum', isNumber],
  ['exclusiveMinimum', isNumber],
  ['exclusiveMaximum', isNumber],
  ['multipleOf', (value) => isNumber(value) && Number(value) > 0],
  ['minLength', isCount],
  ['maxLength', isCount],
  ['minItems', isCount],
  ['maxItems', isCount],
  ['minProperties', isCount],
  ['maxProperties', isCount],
  ['uniqueItems', (value) => typeof value === 'boolean'],
  ['deprecated', (value) => typeof value === 'boolean'],
]);

function printedOf(schema: Json): { readonly kept: Json; readonly size: number } {
  const kept = Object.fromEntries(
    Object.entries(schema).filter(([key, value]) => keywords.get(key)?.(value) === true),
  );
  return { kept, size: textOf(kept).length };
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}
