import { expect, test } from 'vitest';
import { structuredForLegacy, toolForLegacy } from './output-schema.ts';

test('a tool whose result is an object stays byte for byte', () => {
  for (const raw of ['{"name":"a"}', '{"name":"a", "outputSchema":{"type":"object","n":1.0}}'])
    expect(toolForLegacy(raw)).toBe(raw);
});

test('any other result is wrapped, and references follow it', () => {
  const outputSchema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'array',
    items: { $ref: '#/$defs/item' },
    $defs: {
      item: { properties: { $ref: { type: 'string' }, next: { $ref: '#' } }, default: { $ref: '#/left' } },
      other: { $id: 'https://a.example/b', items: { $ref: '#/kept' } },
    },
  };
  const raw = `{"big":12345678901234567890,"outputSchema":${JSON.stringify(outputSchema)},"name":"a"}`;
  const changed = toolForLegacy(raw);
  expect(changed).toContain('"big":12345678901234567890');
  expect(JSON.parse(changed).outputSchema).toEqual({
    $schema: outputSchema.$schema,
    type: 'object',
    properties: {
      result: {
        ...outputSchema,
        items: { $ref: '#/properties/result/$defs/item' },
        $defs: {
          item: {
            properties: { $ref: { type: 'string' }, next: { $ref: '#/properties/result' } },
            default: { $ref: '#/left' },
          },
          other: outputSchema.$defs.other,
        },
      },
    },
    required: ['result'],
  });
});

test('structured content is wrapped like its schema, and seen by clients that read the text', () => {
  expect(structuredForLegacy('{"content":[],"structuredContent":{"a":1.0}}', false)).toBe(
    '{"content":[],"structuredContent":{"a":1.0}}',
  );
  expect(structuredForLegacy('{"content":[],"structuredContent":{"a":1.0}}', true)).toBe(
    '{"content":[],"structuredContent":{"result":{"a":1.0}}}',
  );
  expect(structuredForLegacy('{"content":[],"structuredContent":[1.0]}', false)).toBe(
    '{"content":[{"type":"text","text":"[1.0]"}],"structuredContent":{"result":[1.0]}}',
  );
  expect(structuredForLegacy('{"structuredContent":7}', true)).toBe(
    '{"structuredContent":{"result":7},"content":[{"type":"text","text":"7"}]}',
  );
  const said = '{"content":[{"type":"text","text":"x"}],"structuredContent":"x"}';
  expect(structuredForLegacy(said, false)).toBe(
    '{"content":[{"type":"text","text":"x"}],"structuredContent":{"result":"x"}}',
  );
  expect(structuredForLegacy('{"content":[]}', true)).toBe('{"content":[]}');
});
