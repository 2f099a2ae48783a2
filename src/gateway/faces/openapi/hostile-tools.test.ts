// What a server may list to harm the gate, or the tools of other servers.
import { expect, onTestFinished, test } from 'vitest';
import { gatewayWorld } from '../../../../test/gateway-world.ts';
import { get, namesIn } from '../../../../test/openapi-world.ts';
import { startExactUpstream } from '../../../../test/tool-flood/exact-upstream.ts';
import { argumentsOf } from './arguments.ts';
import { Components } from './components.ts';
import { FreeNames } from './free-names.ts';
import { readScalar } from './scalars.ts';
import { readModel } from './schema.ts';

const model = (properties: object, more: object = {}) =>
  readModel(JSON.stringify({ type: 'object', properties, ...more }), 'm');

function printed(...of: Parameters<typeof model>): string {
  const components = new Components();
  components.schemaOf(model(...of));
  return JSON.stringify(components.all());
}

test('a tool whose name leads elsewhere as a URL is in no document, and hides no other tool', async () => {
  const names = ['../good/drop', 'a/./b', '..', '.', 'half\ud800', 'a..b', 'fine'];
  const evil = await startExactUpstream(
    'legacy',
    names.map((name) => JSON.stringify({ name, inputSchema: {} })),
  );
  const good = await startExactUpstream('legacy', ['{"name":"drop","inputSchema":{}}']);
  onTestFinished(() => Promise.all([evil.close(), good.close()]).then(() => undefined));
  const world = await gatewayWorld({
    servers: { evil: { url: evil.url }, good: { url: good.url } },
    users: { 'alice@acme.com': { servers: ['evil', 'good'] } },
  });
  expect(namesIn(await get(world, '/tools/evil/openapi.json'))).toEqual(['a..b', 'fine']);
  expect(namesIn(await get(world, '/tools/openapi.json'))).toEqual(['evil/a..b', 'evil/fine', 'good/drop']);
});

test('a part that is referred to often is printed as often as there is room for', () => {
  const properties = Object.fromEntries(
    Array.from({ length: 1_900 }, (_, at) => [`p${at}`, { $ref: '#/$defs/E' }]),
  );
  const long = 'x'.repeat(50_000);
  const E = { type: 'string', enum: [long], description: long, default: long };
  expect(printed(properties, { $defs: { E } }).length).toBeLessThan(4_000_000);
});

test('parts of parts with long names stay small', () => {
  const name = 'n'.repeat(5_000);
  const $defs: Record<string, object> = { d0: { type: 'string' } };
  for (let at = 1; at < 12; at++) {
    const below = { $ref: `#/$defs/d${at - 1}` };
    $defs[`d${at}`] = { type: 'object', properties: { [name]: below, b: below } };
  }
  expect(printed({ x: { $ref: '#/$defs/d11' } }, { $defs }).length).toBeLessThan(4_000_000);
});

test('a type that is named twice is one', () => {
  expect(model({ a: { type: ['object', 'object', 'object'] } }).fields[0]!.type.kind).toBe('map');
});

test('thousands of names that look alike in a document get one each', () => {
  const names = new FreeNames();
  expect(names.take('a_2')).toBe('a_2');
  const all = Array.from({ length: 30_000 }, () => names.take('a'));
  expect(all.slice(0, 3)).toEqual(['a', 'a_3', 'a_4']);
  expect(new Set(all).size).toBe(30_000);
});

test('a number of a hundred thousand digits and a letter is no number, told at once', () => {
  const digits = '1'.repeat(300_000);
  expect(readScalar(`"${digits}x"`, 'number', true)).toMatchObject({ type: 'float_parsing' });
  expect(['"5."', '".5"', '"+5"', '"5.5e1"'].map((raw) => readScalar(raw, 'number', true))).toEqual([
    '5',
    '0.5',
    '5',
    '5.5e1',
  ]);
});

test('defaults of a long list are filled in up to a bound', () => {
  const items = { type: 'object', properties: { a: { type: 'string', default: 'x'.repeat(1_000) } } };
  const read = argumentsOf(
    `{"l":[${Array(100_000).fill('{}').join(',')}]}`,
    model({ l: { type: 'array', items } }),
  );
  expect(read.ok && read.text.length).toBeLessThan(5_000_000);
  expect(read.ok && read.text.startsWith('{"l":[{"a":"xxx')).toBe(true);
});

test('of a list without end the beginning is read, and the rest stays as it came', () => {
  const options = Array.from({ length: 50 }, (_, at) => ({
    type: 'object',
    properties: { [`k${at}`]: {} },
    required: [`k${at}`],
  }));
  const list = model({ l: { type: 'array', items: { anyOf: [...options, { type: 'integer' }] } } });
  const raw = (length: number) => `{"l":[${Array(length).fill('"5"').join(',')}]}`;
  expect(argumentsOf(raw(10), list)).toEqual({ ok: true, text: raw(10).replaceAll('"5"', '5') });
  const read = argumentsOf(raw(500_000), list);
  expect(read.ok && read.text.startsWith('{"l":[5,5,')).toBe(true);
  expect(read.ok && read.text.endsWith('"5","5"]}')).toBe(true);
});
