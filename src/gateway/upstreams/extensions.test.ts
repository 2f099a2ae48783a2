import { describe, expect, test } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import {
  allowedCapabilities,
  allowsMethod,
  announcedExtensions,
  declaredExtensions,
  permitted,
  sharedCapabilities,
} from './extensions.ts';

const tasks = 'io.modelcontextprotocol/tasks';
const ui = 'io.modelcontextprotocol/ui';

function definition(extensions?: 'all' | 'none' | string[]) {
  const entry = { type: 'http', url: 'http://127.0.0.1/mcp', ...(extensions && { extensions }) };
  return pictureOf({ servers: { it: entry } }).servers.get('it')!.definition;
}

const capabilities = `{ "roots" : {}, "extensions":{"${tasks}":{ },"${ui}":{"n":1.0}}}`;
const params = (declared: string, key = 'clientCapabilities') =>
  `{"x":1.0,"_meta":{"io.modelcontextprotocol/${key}":${declared},"y":2}}`;

describe('what a client declares', () => {
  test.each([
    [undefined, capabilities],
    ['all', capabilities],
    [[ui], `{"roots" : {},"extensions":{"${ui}":{"n":1.0}}}`],
    ['none', '{"roots" : {}}'],
  ] as const)('reaches a server whose definition says %j as far as that goes', (policy, expected) => {
    const own = definition(policy as 'all' | undefined);
    expect(allowedCapabilities(own, capabilities)).toBe(expected);
    const request = { method: 'tools/call', era: 'modern', south: 'modern', definition: own } as const;
    const sent = permitted(params(capabilities), request);
    expect(JSON.parse(sent!)).toEqual(JSON.parse(params(expected)));
    if (expected === capabilities) expect(sent).toBe(params(capabilities));
  });

  test('cannot hide behind another spelling', () => {
    const spelled = params(`{"\\u0065xtensions":{"${ui}":{}}}`, 'clientCapabilitie\\u0073');
    const request = {
      method: 'tools/call',
      era: 'modern',
      south: 'modern',
      definition: definition('none'),
    } as const;
    expect(permitted(spelled, request)).not.toContain(ui);
  });

  test('of tasks does not cross the eras', () => {
    const own = definition();
    const toModern = { method: 'tools/call', era: 'legacy', south: 'modern', definition: own } as const;
    expect(permitted(params(capabilities), toModern)).not.toContain(tasks);
    const toLegacy = { method: 'tools/call', era: 'legacy', south: 'legacy', definition: own } as const;
    const call = '{"name":"a","task":{"ttl":1},"arguments":{"task":2}}';
    expect(permitted(call, toLegacy)).toBe('{"name":"a","arguments":{"task":2}}');
    expect(permitted('{"name":"task"}', toLegacy)).toBe('{"name":"task"}');
  });
});

test('what a server announces passes by the same policy', () => {
  const announced = { [tasks]: {}, [ui]: { a: 1 } };
  expect(announcedExtensions(undefined, announced)).toEqual(announced);
  expect(announcedExtensions([ui], announced)).toEqual({ [ui]: { a: 1 } });
  expect(announcedExtensions('all', announced, [tasks])).toEqual({ [ui]: { a: 1 } });
  expect(announcedExtensions('none', announced)).toEqual({});
  expect(announcedExtensions('all', 'nonsense')).toEqual({});
});

test.each([
  ['all', 'any/thing', { extensions: {} }, true],
  ['none', 'ui/open', undefined, false],
  [[ui], 'ui/open', { extensions: { [ui]: {}, [tasks]: {} } }, true],
  [[ui], 'skills/list', { extensions: { [ui]: {}, 'x/skills': {} } }, false],
  [[ui], 'resources/directory/read', { extensions: { [ui]: {} } }, true],
  [[ui], 'skills/list', {}, false],
  [[ui], 'skills/list', undefined, true],
] as const)('with %j the method %s passes to a server with %j: %s', (policy, method, announced, passes) => {
  expect(allowsMethod(policy as 'all' | undefined, method, announced)).toBe(passes);
});

test('a connection is told of few extensions, small ones, in one order, and never of tasks', () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`x/e${9 - (at % 10)}${at}`, {}]));
  expect(Object.keys(declaredExtensions(many))).toEqual(Object.keys(many).sort().slice(0, 8));
  expect(
    declaredExtensions({ [ui]: { mimeTypes: ['text/html'] }, [tasks]: {}, plain: {}, 'x/y': 1 }),
  ).toEqual({
    [ui]: { mimeTypes: ['text/html'] },
  });
  expect(declaredExtensions({ 'x/big': { text: 'x'.repeat(300) } })).toEqual({});
  expect(declaredExtensions(undefined)).toEqual({});
});

test('a shared connection is told of extensions that the operator has named, and no others', () => {
  expect(sharedCapabilities(definition(), capabilities)).toBe('{"roots" : {}}');
  expect(sharedCapabilities(definition([ui]), capabilities)).toBe(
    `{"roots" : {},"extensions":{"${ui}":{"n":1.0}}}`,
  );
});
