import { expect, test } from 'vitest';
import { parseMessage, requestText, responseText } from './message.ts';
import { editObject, elementsOf, findMember, membersOf } from './raw.ts';

test('members and elements are found whatever the white space and the escapes', () => {
  const text = ' { "a" : [1, {"b":"]}"} , "x\\"," ] ,\n"c\\u0064":-1.50e3 , "e":"\\\\" , "f":{} }';
  const members = membersOf(text);
  expect(members.map((m) => [m.key, text.slice(m.start, m.end)])).toEqual([
    ['a', '[1, {"b":"]}"} , "x\\"," ]'],
    ['cd', '-1.50e3'],
    ['e', '"\\\\"'],
    ['f', '{}'],
  ]);
  const array = findMember(members, 'a')!;
  expect(elementsOf(text, array.start).map((e) => text.slice(e.start, e.end))).toEqual([
    '1',
    '{"b":"]}"}',
    '"x\\","',
  ]);
  expect(elementsOf(' [ ] ')).toEqual([]);
  expect(membersOf('{}')).toEqual([]);
});

test('an edit changes, adds and removes members and leaves every other byte', () => {
  const text = '{"10":1.0,"2":12345678901234567890, "name":"a" ,"drop":[1],"u":"\\u00e9"}';
  expect(editObject(text, { name: '"b"', drop: null, added: '{"x":1}' })).toBe(
    '{"10":1.0,"2":12345678901234567890,"name":"b","u":"\\u00e9","added":{"x":1}}',
  );
  expect(editObject('{}', { a: '1' })).toBe('{"a":1}');
  expect(editObject('{"a":1}', { a: null })).toBe('{}');
});

test('spans agree with JSON.parse on random documents', () => {
  let seed = 42;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  const value = (depth: number): unknown => {
    const kind = Math.floor(random() * (depth > 3 ? 4 : 6));
    if (kind === 0) return Math.floor(random() * 1e6) / 8;
    if (kind === 1) return ['', 'a"b', 'back\\slash\\', '{[,]}', 'é\n\t'][Math.floor(random() * 5)];
    if (kind === 2) return random() < 0.5;
    if (kind === 3) return null;
    const size = Math.floor(random() * 4);
    if (kind === 4) return Array.from({ length: size }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length: size }, (_, i) => [`k"${i}\\`, value(depth + 1)]));
  };
  for (let round = 0; round < 300; round++) {
    const object = { a: value(0), b: value(0), c: value(0) };
    const text = JSON.stringify(object, null, Math.floor(random() * 3));
    for (const member of membersOf(text)) {
      expect(JSON.parse(text.slice(member.start, member.end))).toEqual(object[member.key as 'a']);
    }
  }
});

test('messages are told apart, and what is neither is refused', () => {
  const kind = (text: string) => {
    const parsed = parseMessage(text);
    return parsed.ok ? parsed.message.kind : parsed.code;
  };
  expect(kind('{"jsonrpc":"2.0","id":1,"method":"ping"}')).toBe('request');
  expect(kind('{"jsonrpc":"2.0","method":"x","params":{}}')).toBe('notification');
  expect(kind('{"jsonrpc":"2.0","id":"a","result":{}}')).toBe('response');
  expect(kind('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}')).toBe('response');
  expect(kind('{"jsonrpc":"2.0","id":null,"method":"ping"}')).toBe('shape');
  expect(kind('{"jsonrpc":"2.0","id":{},"method":"ping"}')).toBe('shape');
  expect(kind('{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}')).toBe('shape');
  expect(kind('{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}')).toBe('shape');
  expect(kind('{"jsonrpc":"2.0","id":1,"result":3}')).toBe('shape');
  expect(kind('{"jsonrpc":"1.0","id":1,"method":"x"}')).toBe('shape');
  expect(kind('{')).toBe('parse');
  expect(kind('[]')).toBe('batch');
  expect(kind('7')).toBe('shape');
});

test('ids, params and results go through byte for byte', () => {
  const parsed = parseMessage(
    '{"id":1.0,"jsonrpc":"2.0","method":"tools/call","params":{"n":1.0,"big":12345678901234567890}}',
  );
  if (!parsed.ok || parsed.message.kind !== 'request') throw new Error('no request');
  expect(requestText(parsed.message.rawId, parsed.message.method, parsed.message.rawParams)).toBe(
    '{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"n":1.0,"big":12345678901234567890}}',
  );
  const answer = parseMessage('{"jsonrpc":"2.0","id":9,"result":{"2":1.50,"1":{}}}');
  if (!answer.ok || answer.message.kind !== 'response') throw new Error('no response');
  expect(responseText('"x"', answer.message)).toBe('{"jsonrpc":"2.0","id":"x","result":{"2":1.50,"1":{}}}');
});

test('names that every object inherits are members like any other', () => {
  const text = '{"toString":1,"constructor":{"a":2},"__proto__":[3],"name":"a"}';
  expect(editObject(text, { name: '"b"' })).toBe(
    '{"toString":1,"constructor":{"a":2},"__proto__":[3],"name":"b"}',
  );
});
