import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { argumentsOf } from './arguments.ts';
import { Components, titleOf } from './components.ts';
import { readModel } from './schema.ts';

function componentsOf(schema: unknown): Record<string, Record<string, unknown>> {
  const components = new Components();
  components.schemaOf(readModel(JSON.stringify(schema), 'tool_form_model'));
  return components.all() as Record<string, Record<string, unknown>>;
}

function propertiesOf(schema: unknown): Record<string, unknown> {
  return componentsOf(schema)['tool_form_model']!['properties'] as Record<string, unknown>;
}

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

async function expectValid(schema: unknown): Promise<number> {
  const document = {
    openapi: '3.1.0',
    info: { title: 't', version: '1' },
    paths: {},
    components: { schemas: componentsOf(schema) },
  };
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true });
  return JSON.stringify(document).length;
}

describe('a schema', () => {
  test('keeps what models do better with', () => {
    const colour = { type: 'string', enum: ['red'], pattern: '^r', minLength: 1, format: 'colour' };
    expect(propertiesOf(object({ colour }))['colour']).toEqual({
      ...colour,
      title: 'Colour',
      description: '',
    });
  });

  test('loses what another draft spells otherwise', () => {
    const n = { type: 'number', minimum: 0, exclusiveMinimum: true, enum: [], multipleOf: 0, maxLength: -1 };
    expect(propertiesOf(object({ n }))['n']).toEqual({
      type: 'number',
      minimum: 0,
      title: 'N',
      description: '',
    });
  });

  test('that refers to itself ends', async () => {
    const Node = object({
      next: { $ref: '#/$defs/Node' },
      all: { type: 'array', items: { $ref: '#/$defs/Node' } },
    });
    const loop = { $ref: '#/$defs/Loop' };
    const schema = object({ Node: { $ref: '#/$defs/Node' }, loop }, { $defs: { Node, Loop: loop } });
    expect(await expectValid(schema)).toBeLessThan(2_000);
    expect(propertiesOf(schema)['loop']).toEqual({ title: 'Loop', description: '' });
  });

  test('whose parts multiply stays small', async () => {
    const $defs: Record<string, object> = { d0: { type: 'string' } };
    for (let at = 1; at < 30; at++) {
      const below = { $ref: `#/$defs/d${at - 1}` };
      $defs[`d${at}`] = object({ a: below, b: below, c: { type: 'array', items: below } });
    }
    expect(await expectValid(object({ x: { $ref: '#/$defs/d29' } }, { $defs }))).toBeLessThan(1_000_000);
  });

  test('nested deeper than anybody writes lets anything through', () => {
    const deep = `{"type":"object","properties":{"a":{"default":${'['.repeat(100_000)}${']'.repeat(100_000)}}}}`;
    expect(readModel(deep, 'm')).toEqual({ kind: 'model', name: 'm', fields: [], isOpen: true });
  });

  test.each([
    ['booleans', object({ yes: true, no: false, n: null, list: [1] })],
    ['wrong types', { type: 7, properties: { a: { type: 'thing', anyOf: 3, items: [] } }, required: 'a' }],
    [
      'names of every kind',
      object({ __proto__x: {}, constructor: {}, '': {}, 'ä b': { type: 'object', properties: { q: {} } } }),
    ],
    [
      'parts',
      object(
        {
          a: { allOf: [{ $ref: '#/$defs/P' }], description: 'd' },
          b: { oneOf: [{ type: 'null' }, object({ z: {} })] },
        },
        { $defs: { P: object({ p: {} }) } },
      ),
    ],
    [
      'references out',
      object({
        a: { $ref: 'http://elsewhere/x' },
        b: { $ref: '#/nowhere/0' },
        c: { $ref: '#/properties/a' },
      }),
    ],
    [
      'a root of alternatives',
      { oneOf: [object({ a: { type: 'string' } }), object({ b: { type: 'number' } })] },
    ],
  ])('with %s is printed as valid OpenAPI', async (_what, schema) => {
    await expectValid(schema);
  });

  test('of a root with alternatives takes the fields of all of them', () => {
    const schema = { oneOf: [object({ a: { type: 'string' } }), object({ b: { type: 'number' } })] };
    expect(Object.keys(propertiesOf(schema))).toEqual(['a', 'b']);
  });
});

describe('arguments', () => {
  const model = readModel(
    JSON.stringify(
      object({
        n: { type: 'integer' },
        s: { type: 'string' },
        deep: object({ l: { type: 'array', items: { type: 'number' } } }),
      }),
    ),
    'm',
  );
  const textOf = (raw: string, of = model) => {
    const read = argumentsOf(raw, of);
    return read.ok ? read.text : read.issues;
  };

  test.each([
    '{ "n" : 12345678901234567890, "s":"\\u0041\\u2028" ,"deep":{"l":[1.0, 2.50,1E5]} }',
    '{}',
    '{"deep":{}}',
  ])('that fit stay as they came: %s', (raw) => {
    expect(textOf(raw)).toBe(raw);
  });

  test('are changed where they have to be and nowhere else', () => {
    expect(textOf('{"n":"5", "x":{"y":1}, "s" : "a" ,"deep":{"l":[ 1.0,"2.5"]}}')).toBe(
      '{"n":5,"s" : "a","deep":{"l":[1.0,2.5]}}',
    );
  });

  test('of which one stands there twice: the last counts', () => {
    expect(textOf('{"n":1,"n":2}')).toBe('{"n":2}');
    expect(textOf('{"n":"x","n":2}')).toBe('{"n":2}');
  });

  test('that no field names stay where the schema says it takes others', () => {
    const open = readModel(
      JSON.stringify(object({ a: {} }, { additionalProperties: { type: 'string' } })),
      'm',
    );
    expect(textOf('{"b":"x","a":1}', open)).toBe('{"b":"x","a":1}');
  });

  test('that are wrong a thousand times are reported a hundred times', () => {
    const raw = `{"deep":{"l":[${Array.from({ length: 1_000 }, () => '"x"').join(',')}]}}`;
    expect(textOf(raw)).toHaveLength(100);
  });

  test('with a hundred thousand unknown keys are read in passing', () => {
    const raw = `{${Array.from({ length: 100_000 }, (_, at) => `"k${at}":1`).join(',')}}`;
    expect(textOf(raw)).toBe('{}');
  });
});

test.each([
  ['get_users', 'Get Users'],
  ['userId2go', 'Userid2Go'],
  ['x-y', 'X-Y'],
  ['__filter', 'Filter'],
])('%s has the title %s', (name, title) => {
  expect(titleOf(name)).toBe(title);
});
