import { expect, test } from 'vitest';
import { contradiction, decodedHeader, mirroredParams, paramHeaders } from './param-headers.ts';

const schema = {
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    size: { type: 'integer', 'x-mcp-header': 'Size' },
    dry: { type: 'boolean', 'x-mcp-header': 'Dry' },
    price: { type: 'number', 'x-mcp-header': 'Price' },
    bad: { type: 'string', 'x-mcp-header': 'a b' },
    twice: { type: 'string', 'x-mcp-header': 'region' },
    deep: { type: 'object', properties: { name: { type: 'string', 'x-mcp-header': 'Deep' } } },
    list: { type: 'array', items: { type: 'string', 'x-mcp-header': 'Item' } },
  },
};
const mirrored = mirroredParams(schema);

test('primitive properties reachable through properties alone are mirrored', () => {
  expect(mirrored.map(({ header, path }) => [header, path.join('.')])).toEqual([
    ['mcp-param-region', 'region'],
    ['mcp-param-size', 'size'],
    ['mcp-param-dry', 'dry'],
    ['mcp-param-deep', 'deep.name'],
  ]);
  expect(mirroredParams(undefined)).toEqual([]);
  expect(mirroredParams({ properties: [] })).toEqual([]);
});

test('arguments become header text, and what is not there becomes none', () => {
  const args = { region: 'eu', size: 42, dry: false, deep: { name: ' ü' } };
  expect(paramHeaders(mirrored, args)).toEqual({
    'mcp-param-region': 'eu',
    'mcp-param-size': '42',
    'mcp-param-dry': 'false',
    'mcp-param-deep': `=?base64?${Buffer.from(' ü').toString('base64')}?=`,
  });
  expect(paramHeaders(mirrored, { region: null, size: 2 ** 60, deep: 'no object' })).toEqual({});
  expect(paramHeaders(mirrored, undefined)).toEqual({});
});

test.each<[object, Record<string, string>, string | undefined]>([
  [{ region: 'eu' }, { 'mcp-param-region': 'eu' }, undefined],
  [{ region: 'ü' }, { 'mcp-param-region': '=?base64?w7w=?=' }, undefined],
  [{ region: 'eu' }, { 'mcp-param-region': 'us' }, 'the mcp-param-region header does not say'],
  [{ region: 'eu' }, {}, 'the mcp-param-region header is missing'],
  [{ region: 'eu' }, { 'mcp-param-region': '=?base64?!?=' }, 'does not say'],
  [{ size: 42 }, { 'mcp-param-size': '42.0' }, undefined],
  [{ size: 42 }, { 'mcp-param-size': '0x2a' }, 'does not say'],
  [{ region: null }, { 'mcp-param-region': 'eu' }, undefined],
  [{}, { 'mcp-param-other': 'x' }, undefined],
])('arguments %j with headers %j: %s', (args, headers, said) => {
  const found = contradiction(mirrored, args, headers);
  if (said === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(said);
});

test('a broken encoding is no text', () => {
  expect(decodedHeader('plain')).toBe('plain');
  expect(decodedHeader('=?base64?w7w=?=')).toBe('ü');
  expect(decodedHeader('=?base64?w7w')).toBe('=?base64?w7w');
  for (const broken of ['=?base64?SGVsbG8?=', '=?base64?SGVs!!!bG8=?=', '=?base64?/w==?='])
    expect(decodedHeader(broken), broken).toBeUndefined();
});
