import { describe, expect, test } from 'vitest';
import { flattened, mayHoldExtra, unflattenArguments } from './flatten.ts';

const tool = (inputSchema: unknown, more: object = {}) => JSON.stringify({ name: 't', ...more, inputSchema });
const schemaOf = (rawTool: string) =>
  JSON.parse(flattened(rawTool)).inputSchema as {
    type: string;
    properties: Record<string, unknown>;
    required?: string[];
    [key: string]: unknown;
  };
const text = { type: 'string' };
const number = { type: 'number' };

/** What Open WebUI up to 0.11.4 lets through of a model's arguments. */
const passes = (schema: { properties?: object }, args: object) =>
  Object.fromEntries(Object.entries(args).filter(([key]) => Object.hasOwn(schema.properties ?? {}, key)));

describe('a schema that names its arguments at the top stays byte for byte', () => {
  test.each([
    ['properties', '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}'],
    ['no arguments', '{"type":"object"}'],
    ['no arguments, closed', '{"type":"object","properties":{},"additionalProperties":false}'],
    ['loose properties', '{"type":"object","properties":{"a":{}},"additionalProperties":true}'],
    [
      'loose properties in another spelling',
      '{"type":"object","properties":{"a":{}},"additionalProperties":{}}',
    ],
    [
      'alternatives of what is required',
      '{"type":"object","properties":{"a":{},"b":{}},"anyOf":[{"required":["a"]},{"required":["b"]}]}',
    ],
    [
      'branches that only narrow',
      '{"type":"object","properties":{"k":{},"x":{}},"oneOf":[{"properties":{"k":{"const":1}}}]}',
    ],
    [
      'references inside properties',
      '{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}',
    ],
    [
      'odd numbers and spacing',
      '{ "type":"object", "properties" : {"n":{"maximum":12345678901234567890,"default":1.0}} }',
    ],
  ])('%s', (_, schema) => {
    const raw = `{"name":"t", "inputSchema":${schema},"x-own":1.0}`;
    expect(flattened(raw)).toBe(raw);
  });

  test('600 properties', () => {
    const raw = tool({
      type: 'object',
      properties: Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`p${i}`, text])),
    });
    expect(flattened(raw)).toBe(raw);
  });
});

describe('a schema that does not say whose it is, over which the Python SDK 2.x refuses the whole list, is an object’s', () => {
  test.each([
    ['{}', '{"type":"object"}'],
    ['{"properties":{"n":{"maximum":1.0}}}', '{"properties":{"n":{"maximum":1.0}},"type":"object"}'],
    ['{"type":["object","null"],"properties":{}}', '{"type":"object","properties":{}}'],
    ['null', '{"type":"object"}'],
    ['true', '{"type":"object"}'],
  ])('%s', (schema, shown) => {
    expect(flattened(`{"name":"t","inputSchema":${schema}}`)).toBe(`{"name":"t","inputSchema":${shown}}`);
  });

  test('and there is one where there was none', () => {
    expect(flattened('{"name":"t"}')).toBe('{"name":"t","inputSchema":{"type":"object"}}');
  });
});

describe('a schema whose arguments the client would drop becomes flat', () => {
  test('oneOf: all properties, required what each branch requires', () => {
    const flat = schemaOf(
      tool({
        type: 'object',
        description: 'Two ways',
        oneOf: [
          { properties: { id: text, kind: { const: 'a' } }, required: ['kind', 'id'] },
          { properties: { name: text, kind: { const: 'b' } }, required: ['kind', 'name'] },
        ],
      }),
    );
    expect(flat).toEqual({
      type: 'object',
      properties: { id: text, kind: { anyOf: [{ const: 'a' }, { const: 'b' }] }, name: text },
      required: ['kind'],
      description: 'Two ways',
    });
  });

  test('anyOf with a null branch: the null says nothing about arguments', () => {
    const flat = schemaOf(
      tool({ anyOf: [{ type: 'null' }, { type: 'object', properties: { a: text }, required: ['a'] }] }),
    );
    expect(flat).toEqual({ type: 'object', properties: { a: text }, required: ['a'] });
  });

  test('allOf: all properties and all that is required', () => {
    const flat = schemaOf(
      tool({
        properties: { own: text },
        required: ['own'],
        allOf: [{ properties: { a: text, own: number }, required: ['a'] }, { properties: { b: number } }],
      }),
    );
    expect(flat.properties).toEqual({ own: text, a: text, b: number });
    expect(flat.required).toEqual(['own', 'a']);
  });

  test('a local reference, in either spelling of definitions, through escapes', () => {
    for (const [at, ref] of [
      ['$defs', '#/$defs/A~1B'],
      ['definitions', '#/definitions/A%2FB'],
    ] as const) {
      const definition = { properties: { a: { $ref: `#/${at}/Deep` } }, required: ['a'] };
      const flat = schemaOf(
        tool({ $ref: ref.replace('%2F', '~1'), [at]: { 'A/B': definition, Deep: text } }),
      );
      expect(flat.properties).toEqual({ a: { $ref: `#/${at}/Deep` } });
      expect(flat[at]).toEqual({ 'A/B': definition, Deep: text });
    }
  });

  test('conditions: what their branches name may be given', () => {
    const flat = schemaOf(
      tool({
        properties: { kind: text },
        required: ['kind'],
        if: { properties: { kind: { const: 'a' }, hidden: { const: 1 } } },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        then: { properties: { a: text }, required: ['a'] },
        else: { properties: { b: number } },
        dependentSchemas: { kind: { properties: { c: text }, required: ['c'] } },
      }),
    );
    expect(flat.properties).toEqual({ kind: text, a: text, b: number, hidden: {}, c: text });
    expect(flat.required).toEqual(['kind']);
  });

  test('an argument that is required and described nowhere is named', () => {
    expect(schemaOf(tool({ type: 'object', required: ['x'] })).properties).toEqual({ x: {} });
  });

  test('a reference into a part that is gone becomes any value', () => {
    const flat = schemaOf(tool({ allOf: [{ properties: { a: { $ref: '#/allOf/1' }, b: text } }, {}] }));
    expect(flat.properties).toEqual({ a: {}, b: text });
  });

  test.each([null, 7, 'x', ['a']])(
    '`properties` that is %j, at which the client would fail',
    (properties) => {
      expect(schemaOf(tool({ type: 'object', properties }))).toEqual({ type: 'object', properties: {} });
    },
  );

  test('every other member of the tool stays as it was', () => {
    const raw = '{"name":"t","inputSchema":{"allOf":[{"properties":{"n":{"maximum":1e400}}}]},"x":1.0}';
    expect(flattened(raw)).toBe(
      '{"name":"t","inputSchema":{"type":"object","properties":{"n":{"maximum":1e400}}},"x":1.0}',
    );
  });
});

test('the output schema goes: the client only fails calls over it', () => {
  const inputSchema = { type: 'object', properties: { a: text } };
  const raw = tool(inputSchema, { outputSchema: { type: 'object' } });
  expect(flattened(raw)).toBe(tool(inputSchema));
});

describe('a schema that takes any keys', () => {
  const open = [
    ['any value', { type: 'object', additionalProperties: true }],
    ['any value in another spelling', { type: 'object', properties: {}, additionalProperties: {} }],
    ['values of a type beside a property', { properties: { a: text }, additionalProperties: number }],
    ['keys by pattern', { patternProperties: { '^x-': text } }],
    ['what stands elsewhere', { $ref: 'https://example.com/schema.json' }],
    ['what is not there', { $ref: '#/$defs/Gone' }],
    [
      'values of a type in one of two forms',
      { anyOf: [{ properties: { a: text } }, { additionalProperties: text }] },
    ],
  ] as const;

  test.each(open)('(%s) gets one property for them, and the call gets them back', (_, schema) => {
    const raw = tool(schema);
    const flat = schemaOf(raw);
    expect(flat.properties).toHaveProperty('arguments_json', expect.objectContaining({ type: 'string' }));
    expect(flat.required ?? []).not.toContain('arguments_json');
    const given = { ...('properties' in schema && { a: 'x' }), arguments_json: '{"x-1":1.0,"x-2":[true]}' };
    const sent = JSON.stringify(passes(flat, given));
    expect(mayHoldExtra(sent)).toBe(true);
    const own = unflattenArguments(raw, sent);
    expect(own).toContain('"x-1":1.0');
    expect(JSON.parse(own)).toEqual({
      ...('a' in given && 'a' in flat.properties && { a: 'x' }),
      'x-1': 1,
      'x-2': [true],
    });
  });

  const raw = tool(open[0][1]);

  test('takes an object where a model does not mind the type, and nothing where there is nothing', () => {
    expect(unflattenArguments(raw, '{"arguments_json":{"a":1.0}}')).toBe('{"a":1.0}');
    expect(unflattenArguments(raw, '{"arguments_json":""}')).toBe('{}');
    expect(unflattenArguments(raw, '{"other":1}')).toBe('{"other":1}');
  });

  test.each(['"[1]"', '"x"', '7', 'null', '"null"', '[]'])('refuses %s, and says what to send', (value) => {
    expect(() => unflattenArguments(raw, `{"arguments_json":${value}}`)).toThrow(
      /must be the JSON text of an object/,
    );
  });

  test('an argument given by its name wins over one in the text', () => {
    const both = tool({ properties: { a: text }, additionalProperties: text });
    expect(
      unflattenArguments(both, '{"a":"named","arguments_json":"{\\"a\\":\\"text\\",\\"b\\":\\"2\\"}"}'),
    ).toBe('{"a":"named","b":"2"}');
  });

  test('whose own property has that name gets the next name', () => {
    const own = tool({ properties: { arguments_json: text }, additionalProperties: number });
    expect(Object.keys(schemaOf(own).properties)).toEqual(['arguments_json', 'more_arguments_json']);
    expect(unflattenArguments(own, '{"arguments_json":"mine","more_arguments_json":"{\\"n\\":1}"}')).toBe(
      '{"arguments_json":"mine","n":1}',
    );
  });
});

test('arguments of a tool that needed no room are nobody’s to change', () => {
  const raw = tool({ properties: { arguments_json: text } });
  expect(unflattenArguments(raw, '{"arguments_json":"{}"}')).toBe('{"arguments_json":"{}"}');
});

describe('a schema that is made to be endless', () => {
  test('by itself, by a ring, by depth and by breadth: it ends, with room for what was not read', () => {
    const ring = {
      $ref: '#/$defs/A',
      $defs: { A: { $ref: '#/$defs/B' }, B: { allOf: [{ $ref: '#/$defs/A' }] } },
    };
    let deep: object = { properties: { end: text } };
    for (let i = 0; i < 50; i++) deep = { allOf: [deep] };
    const fan = {
      $ref: '#/$defs/A',
      $defs: { A: { anyOf: Array.from({ length: 50 }, () => ({ $ref: '#/$defs/A' })) } },
    };
    for (const schema of [ring, deep, fan]) {
      expect(Object.keys(schemaOf(tool(schema)).properties)).toEqual(['arguments_json']);
    }
    expect(schemaOf(tool({ $ref: '#', properties: { a: text } })).properties).toEqual({ a: text });
  });

  test('by size: what is copied is bounded', () => {
    const big = { properties: { a: { description: 'x'.repeat(150_000) } } };
    const flat = flattened(tool({ allOf: [big, { properties: { b: big.properties.a } }] }));
    expect(flat.length).toBeLessThan(200_000);
    expect(JSON.parse(flat).inputSchema.properties).toHaveProperty('arguments_json');
  });
});
