// Scalars as pydantic reads them (https://docs.pydantic.dev/latest/concepts/conversion_table/), text in and text out.
import type { Scalar } from './schema.ts';

/** What is wrong with a value, in pydantic's words: clients of mcpo know them. */
export interface Misfit {
  readonly type: string;
  readonly msg: string;
}

/** JSON text of the value as the type wants it, or why it does not fit. `lax`: other spellings of it are read as well. */
export function readScalar(raw: string, kind: Scalar, lax: boolean): string | Misfit {
  return readers[kind](raw, lax);
}

const readers: Readonly<Record<Scalar, (raw: string, lax: boolean) => string | Misfit>> = {
  string: (raw) => (raw.startsWith('"') ? raw : misfit('string_type', 'string')),
  null: (raw) => (raw === 'null' ? raw : { type: 'none_required', msg: 'Input should be None' }),
  integer: readInteger,
  number: readNumber,
  boolean: readBoolean,
};

const integer = /^-?\d+$/;
/** As JSON writes it, and as Python's `float` reads it. */
const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
// One way to read each text: with two, a long run of digits would be tried in every split.
const readable = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

function readInteger(raw: string, lax: boolean): string | Misfit {
  if (integer.test(raw)) return raw;
  if (!lax) return misfit('int_type', 'integer');
  if (number.test(raw)) {
    const value = Number(raw);
    if (!Number.isInteger(value))
      return misfit('int_from_float', 'integer', ', got a number with a fractional part');
    // 1e300 is an integer that no integer type holds; as it came it says so itself.
    return Number.isSafeInteger(value) ? String(value) : raw;
  }
  if (raw.startsWith('"')) {
    const [, digits] = /^\s*([+-]?\d+)(?:\.0*)?\s*$/.exec(textOf(raw)) ?? [];
    if (digits === undefined)
      return misfit('int_parsing', 'integer', ', unable to parse string as an integer');
    return digits.replace(/^\+/, '').replace(/^(-?)0+(?=\d)/, '$1');
  }
  return fromBoolean(raw) ?? misfit('int_type', 'integer');
}

function readNumber(raw: string, lax: boolean): string | Misfit {
  if (number.test(raw)) return raw;
  if (!lax) return misfit('float_type', 'number');
  if (raw.startsWith('"')) {
    const text = textOf(raw).trim();
    if (!readable.test(text))
      return misfit('float_parsing', 'number', ', unable to parse string as a number');
    return number.test(text) ? text : JSON.stringify(Number(text));
  }
  return fromBoolean(raw) ?? misfit('float_type', 'number');
}

const spellings = new Map([
  ...['1', 't', 'true', 'y', 'yes', 'on'].map((word) => [word, 'true'] as const),
  ...['0', 'f', 'false', 'n', 'no', 'off'].map((word) => [word, 'false'] as const),
]);

function readBoolean(raw: string, lax: boolean): string | Misfit {
  if (raw === 'true' || raw === 'false') return raw;
  if (!lax || !/^["\d-]/.test(raw)) return misfit('bool_type', 'boolean');
  const word = raw.startsWith('"') ? textOf(raw).toLowerCase() : String(Number(raw));
  return spellings.get(word) ?? misfit('bool_parsing', 'boolean', ', unable to interpret input');
}

function fromBoolean(raw: string): string | undefined {
  if (raw === 'true') return '1';
  return raw === 'false' ? '0' : undefined;
}

function textOf(raw: string): string {
  return String(JSON.parse(raw));
}

function misfit(type: string, what: string, why = ''): Misfit {
  return { type, msg: `Input should be a valid ${what}${why}` };
}
