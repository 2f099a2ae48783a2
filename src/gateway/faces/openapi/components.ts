import { FreeNames } from './free-names.ts';
import type { Field, Json, Model, Type } from './schema.ts';

/** The component schemas of a document: a model is written once and referred to by name (OpenAPI 3.1, 4.8.7). */
export class Components {
  readonly #byName = new Map<string, Json>();
  readonly #names = new FreeNames();

  /** Adds a schema that is no model of a tool. */
  add(name: string, schema: Json): void {
    this.#byName.set(name, schema);
  }

  /** The schema of a type: a reference where it is a model. */
  schemaOf(type: Type): Json {
    switch (type.kind) {
      case 'model':
        return { $ref: `#/components/schemas/${this.#write(type)}` };
      case 'any':
        return { ...type.kept, ...this.#parts('oneOf', type.oneOf), ...this.#parts('allOf', type.allOf) };
      case 'map':
        return {
          additionalProperties: type.values ? this.schemaOf(type.values) : true,
          type: 'object',
          ...type.kept,
        };
      case 'list':
        return { items: type.items ? this.schemaOf(type.items) : {}, type: 'array', ...type.kept };
      case 'union':
        return { anyOf: type.options.map((one) => this.schemaOf(one)), ...type.kept };
      default:
        return { type: type.kind, ...type.kept };
    }
  }

  /** Sorted by name, as FastAPI prints them. */
  all(): Json {
    return Object.fromEntries([...this.#byName].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #write(model: Model): string {
    // Taken before its fields are written, which may want the same.
    const name = this.#names.take(model.name.replaceAll(/[^A-Za-z0-9._-]/g, '_'));
    const required = model.fields.filter(({ isRequired }) => isRequired).map((field) => field.name);
    this.#byName.set(name, {
      properties: Object.fromEntries(model.fields.map((field) => [field.name, this.#property(field)])),
      ...(model.isOpen && { additionalProperties: true }),
      type: 'object',
      ...(required.length > 0 && { required }),
      title: model.name,
    });
    return name;
  }

  #property({ name, type, description, standard }: Field): Json {
    const schema = this.schemaOf(type);
    return {
      ...schema,
      ...(type.kind !== 'model' && { title: titleOf(name) }),
      description,
      ...(standard !== undefined && { default: standard }),
    };
  }

  #parts(key: 'oneOf' | 'allOf', parts: readonly Type[]): Json {
    return parts.length === 0 ? {} : { [key]: parts.map((one) => this.schemaOf(one)) };
  }
}

/** `get_users` is "Get Users": as Python's `str.title` writes it, where every run of letters is a word. */
export function titleOf(name: string): string {
  const words = name.replaceAll(/\p{L}+/gu, (word) => {
    const [first = '', ...rest] = word;
    return first.toUpperCase() + rest.join('').toLowerCase();
  });
  return words.replaceAll('_', ' ').trim();
}
