// Checks the body of a call as mcpo 0.0.20 does, that is as pydantic does in its lax mode: numbers in quotes are
// numbers, keys that the schema does not name are dropped, defaults are filled in. What needs no change stays as it came.
import { elementsOf, membersOf } from '../../rpc/raw.ts';
import type { Field, Model, Type } from './schema.ts';
import { type Misfit, readScalar } from './scalars.ts';

/** One entry of FastAPI's 422 answer. `input` is JSON text. */
export interface Issue extends Misfit {
  readonly loc: readonly (string | number)[];
  readonly input: string;
}

const mostIssues = 100;
/**
 * Values looked at, counting long ones by their length, and characters of defaults filled in, in one body. A schema of
 * many alternatives times a long list has no end; what is beyond stays as it came, and the server checks it anyway.
 */
const mostWork = 200_000;
const mostFilledIn = 4_000_000;
const charactersPerLook = 100;

interface Left {
  work: number;
  characters: number;
}

/** JSON text of the arguments, or what is wrong with the body. `raw` is valid JSON text without white space around it. */
export function argumentsOf(
  raw: string,
  model: Model,
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly issues: readonly Issue[] } {
  const reader = new Reader(true, { work: mostWork, characters: mostFilledIn });
  const text = reader.read(raw, model, ['body']);
  return reader.issues.length === 0 && text !== undefined
    ? { ok: true, text }
    : { ok: false, issues: reader.issues };
}

type Loc = readonly (string | number)[];

class Reader {
  readonly issues: Issue[] = [];
  /** May a value be read as another type than it is written as? */
  readonly #lax: boolean;
  /** Shared by all readers of one body. */
  readonly #left: Left;

  constructor(lax: boolean, left: Left) {
    this.#lax = lax;
    this.#left = left;
  }

  /** The value as the type wants it; undefined, and an issue more, when it does not fit. */
  read(raw: string, type: Type, loc: Loc): string | undefined {
    if (type.kind === 'any' || !this.#mayLook(1)) return raw;
    switch (type.kind) {
      case 'model':
        return raw.startsWith('{') ? this.#model(raw, type, loc) : this.#refuse(notAnObject, raw, loc);
      case 'map':
        return raw.startsWith('{') ? raw : this.#refuse(notADictionary, raw, loc);
      case 'list':
        return raw.startsWith('[') ? this.#list(raw, type.items, loc) : this.#refuse(notAList, raw, loc);
      case 'union':
        return this.#union(raw, type.options, loc);
      default: {
        const read = readScalar(raw, type.kind, this.#lax);
        return typeof read === 'string' ? read : this.#refuse(read, raw, loc);
      }
    }
  }

  /** Is there room for so many looks more, and one through this text? */
  #mayLook(times: number, text = ''): boolean {
    this.#left.work -= times + text.length / charactersPerLook;
    return this.#left.work >= 0;
  }

  #model(raw: string, model: Model, loc: Loc): string | undefined {
    if (!this.#mayLook(model.fields.length, raw)) return raw;
    const members = membersOf(raw);
    // Of a key that stands there twice, the last one counts.
    const last = new Map(members.map((member) => [member.key, member]));
    const values = new Map<string, string | undefined>();
    const added: string[] = [];
    for (const field of model.fields) {
      const found = last.get(field.name);
      if (found)
        values.set(field.name, this.#field(raw.slice(found.start, found.end), field, [...loc, field.name]));
      else if (field.isRequired) this.#refuse(missing, raw, [...loc, field.name]);
      else if (field.standard !== undefined && this.#left.characters > 0) {
        const standard = `${JSON.stringify(field.name)}:${JSON.stringify(field.standard)}`;
        this.#left.characters -= standard.length;
        added.push(standard);
      }
    }
    let isChanged = added.length > 0;
    const parts = members.flatMap((member) => {
      const { key, keyStart, start, end } = member;
      const isLast = last.get(key) === member;
      const known = values.has(key);
      const value = known ? values.get(key) : raw.slice(start, end);
      if (!isLast || value === undefined || (!known && !model.isOpen)) {
        isChanged = true;
        return [];
      }
      const isSame = value === raw.slice(start, end);
      isChanged ||= !isSame;
      return isSame ? [raw.slice(keyStart, end)] : [raw.slice(keyStart, start) + value];
    });
    return isChanged ? `{${[...parts, ...added].join(',')}}` : raw;
  }

  /** mcpo leaves out what is null, and so do we where it may be left out. Undefined: leave it out. */
  #field(raw: string, { type, isRequired }: Field, loc: Loc): string | undefined {
    const value = this.read(raw, type, loc);
    return value === 'null' && !isRequired ? undefined : value;
  }

  #list(raw: string, items: Type | undefined, loc: Loc): string | undefined {
    if (items === undefined || items.kind === 'any' || !this.#mayLook(0, raw)) return raw;
    const before = elementsOf(raw).map(({ start, end }) => raw.slice(start, end));
    const after = before.map((one, index) => this.read(one, items, [...loc, index]));
    return after.every((one, index) => one === before[index]) ? raw : `[${after.join(',')}]`;
  }

  /** What fits as it is written goes before what would have to be read as something else. */
  #union(raw: string, options: readonly Type[], loc: Loc): string | undefined {
    if (raw === 'null' && options.some(({ kind }) => kind === 'null' || kind === 'any')) return raw;
    const others = options.filter(({ kind }) => kind !== 'null');
    const [only, ...more] = others;
    if (only && more.length === 0) return this.read(raw, only, loc);
    const tried: Issue[] = [];
    for (const lax of this.#lax ? [false, true] : [false]) {
      tried.length = 0;
      for (const option of others) {
        const reader = new Reader(lax, this.#left);
        const value = reader.read(raw, option, [...loc, labelOf(option)]);
        if (reader.issues.length === 0) return value;
        tried.push(...reader.issues);
      }
    }
    this.issues.push(...tried.slice(0, Math.max(0, mostIssues - this.issues.length)));
    return undefined;
  }

  #refuse(misfit: Misfit, raw: string, loc: Loc): undefined {
    if (this.issues.length < mostIssues) this.issues.push({ ...misfit, loc, input: raw });
    return undefined;
  }
}

const missing: Misfit = { type: 'missing', msg: 'Field required' };
const notAList: Misfit = { type: 'list_type', msg: 'Input should be a valid list' };
const notADictionary: Misfit = { type: 'dict_type', msg: 'Input should be a valid dictionary' };
/** Also what FastAPI says of a body that is no JSON object. */
export const notAnObject: Misfit = {
  type: 'model_attributes_type',
  msg: 'Input should be a valid dictionary or object to extract fields from',
};

const labels = {
  any: 'any',
  string: 'str',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  null: 'none',
} as const;

/** How pydantic names a member of a union in `loc`. */
function labelOf(type: Type): string {
  switch (type.kind) {
    case 'model':
      return type.name;
    case 'map':
      return 'dict[str,any]';
    case 'list':
      return `list[${type.items ? labelOf(type.items) : 'any'}]`;
    case 'union':
      return `union[${type.options.map(labelOf).join(',')}]`;
    default:
      return labels[type.kind];
  }
}
