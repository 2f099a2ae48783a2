import { describe, expect, test } from 'vitest';
import {
  faultInText,
  faultInUrl,
  fillArgument,
  fillHeader,
  fillText,
  fillUrl,
  variableNames,
} from './placeholders.ts';

const from = (values: Readonly<Record<string, string>>) => (name: string) => {
  const value = values[name];
  if (value === undefined) throw new Error(`nobody gave ${name}`);
  return value;
};

describe('a host', () => {
  const url = 'https://${variable:host}/mcp';

  test.each([
    ['acme.example.com', 'https://acme.example.com/mcp'],
    ['acme.example.com:8443', 'https://acme.example.com:8443/mcp'],
    ['10.0.0.7', 'https://10.0.0.7/mcp'],
    ['localhost', 'https://localhost/mcp'],
    ['[::1]', 'https://[::1]/mcp'],
    ['[2001:db8::1]:443', 'https://[2001:db8::1]:443/mcp'],
    ['xn--mller-kva.example', 'https://xn--mller-kva.example/mcp'],
  ])('may be %j', (value, expected) => {
    expect(fillUrl(url, from({ host: value }))).toBe(expected);
  });

  test.each([
    'acme.example.com/evil',
    'evil.com#',
    'evil.com?',
    'evil.com\\',
    'user@evil.com',
    'user:secret@evil.com',
    'evil.com:99999',
    'evil.com:0',
    'evil.com:',
    'evil.com:80:80',
    'a..b',
    '.',
    '..',
    'evil.com.',
    '-evil.com',
    '%65vil.com',
    'evil.com\t',
    'evil .com',
    'evil\u0000.com',
    'ëvil.com',
    '[::1',
    '::1',
    '[::1%25eth0]',
    '[not:an:address]',
    '[fe80::1]evil.com',
    '${credential}',
    '${env:HOME}',
    '$',
    '',
  ])('may not be %j', (value) => {
    expect(() => fillUrl(url, from({ host: value }))).toThrow(/variable/);
  });

  test('is judged as a whole, so that no part can end it early', () => {
    const parts = 'https://${variable:sub}.acme.com:${variable:port}/';
    expect(fillUrl(parts, from({ sub: 'eu', port: '8443' }))).toBe('https://eu.acme.com:8443/');
    expect(fillUrl(parts, from({ sub: 'evil.com', port: '1' }))).toBe('https://evil.com.acme.com:1/');
    for (const values of [
      { sub: 'evil.com:80', port: '1' },
      { sub: 'a', port: 'evil.com' },
      { sub: 'a', port: '70000' },
      { sub: '[::1]', port: '1' },
    ])
      expect(() => fillUrl(parts, from(values))).toThrow('does not make a host');
  });
});

describe('a path', () => {
  test.each([
    ['org', 'https://a.com/org/mcp'],
    ['a/b', 'https://a.com/a%2Fb/mcp'],
    ['a?b#c', 'https://a.com/a%3Fb%23c/mcp'],
    ['a\\b', 'https://a.com/a%5Cb/mcp'],
    ['%2e%2e', 'https://a.com/%252e%252e/mcp'],
    ['@evil.com', 'https://a.com/%40evil.com/mcp'],
    ['v1.2', 'https://a.com/v1.2/mcp'],
    ['ü', 'https://a.com/%C3%BC/mcp'],
    ['${credential}', 'https://a.com/%24%7Bcredential%7D/mcp'],
  ])('takes %j as one step', (value, expected) => {
    expect(fillUrl('https://a.com/${variable:x}/mcp', from({ x: value }))).toBe(expected);
  });

  test.each([
    ['https://a.com/x/${variable:x}/mcp', '..'],
    ['https://a.com/x/${variable:x}/mcp', '.'],
    ['https://a.com/x/${variable:x}', '..'],
    ['https://a.com/x/.${variable:x}/mcp', '.'],
    ['https://a.com/x/%2e${variable:x}/mcp', '.'],
    ['https://a.com/x/${variable:x}${variable:x}/mcp', '.'],
    ['https://a.com/x/${variable:x}?q=1', '..'],
    ['https://a.com\\x\\${variable:x}\\mcp', '..'],
  ])('of %s gets no step back from %j', (url, value) => {
    expect(() => fillUrl(url, from({ x: value }))).toThrow('changes the steps of its path');
  });

  test('keeps the query apart', () => {
    const filled = fillUrl('https://a.com/?org=${variable:x}&v=1', from({ x: 'a&admin=1#' }));
    expect(filled).toBe('https://a.com/?org=a%26admin%3D1%23&v=1');
  });

  test('refuses text that cannot be encoded', () => {
    expect(() => fillUrl('https://a.com/${variable:x}', from({ x: '\ud800' }))).toThrow('broken text');
  });
});

test.each([
  'https:///${variable:host}/mcp',
  'https://\\${variable:host}/mcp',
  'https:${variable:host}/mcp',
  '${variable:url}',
  'ftp://${variable:host}/',
  ' https://${variable:host}/',
])('the URL %s holds no variable that its host could hide behind', (url) => {
  expect(faultInUrl(url)).toMatch('must begin with http');
  expect(() => fillUrl(url, from({ host: 'evil.com', url: 'https://evil.com' }))).toThrow();
});

test.each([
  'https://${credential}/mcp',
  'https://${credential:host}.acme.com/mcp',
  'https://acme.com:${credential}/mcp',
  'https://${env:HOST}/mcp',
  'https://${other}/mcp',
  'https://${variable:host}${credential}/mcp',
])('no key is a part of the host in %s', (url) => {
  expect(faultInUrl(url)).toMatch('may hold only ${variable:NAME}');
  expect(() => fillUrl(url, from({ host: 'a' }))).toThrow('may hold only');
});

test.each(['https://user:${credential}@acme.com/', 'https://${variable:user}@acme.com/'])(
  'nobody signs in before the host in %s',
  (url) => {
    expect(faultInUrl(url)).toBeDefined();
    expect(() => fillUrl(url, from({ user: 'me' }))).toThrow();
  },
);

test('keys in the path and in the query stay as they are', () => {
  const url = 'https://${variable:host}/${credential:path}/mcp?key=${credential}';
  expect(faultInUrl(url)).toBeUndefined();
  expect(fillUrl(url, from({ host: 'a.com' }))).toBe(
    'https://a.com/${credential:path}/mcp?key=${credential}',
  );
});

test.each([
  '${variable}',
  '${variable:}',
  '${variable: a}',
  '${variables:a}',
  '${ variable:a}',
  '${variable:a',
])('%s is misspelled', (text) => {
  expect(faultInText(`x ${text} y`)).toMatch('not spelled ${variable:NAME}');
  expect(faultInUrl(`https://a.com/${text}`)).toMatch('not spelled ${variable:NAME}');
});

test.each(['${HOME}', '${input:key}', '${variable_name}', '$variable', '{variable}', '${variable:a.b-C_1}'])(
  '%s is not',
  (text) => {
    expect(faultInText(text)).toBeUndefined();
  },
);

describe('a value', () => {
  test.each([
    ['${variable:x}', '${credential}'],
    ['${variable:x}', '${env:SECRET}'],
    ['$${variable:x}', '{credential}'],
    ['${${variable:x}}', 'credential'],
    ['${cred${variable:x}}', 'ential'],
    ['${credential:${variable:x}}', 'other'],
    ['${variable:x}credential}', '${'],
    ['${variable:x}${env:A}', '$'],
    ['${variable:x}', '${credential.basic:a:b}'],
  ])('put into %s becomes no placeholder: %j', (text, value) => {
    expect(() => fillText(text, from({ x: value }))).toThrow(/placeholder of another kind|not spelled/);
    expect(() => fillHeader(text, from({ x: value }))).toThrow(/placeholder of another kind|not spelled/);
    expect(() => fillArgument(text, from({ x: value }))).toThrow(/placeholder of another kind|not spelled/);
  });

  test('is not looked at for further variables', () => {
    expect(fillText('${variable:x}', from({ x: '${variable:y}', y: 'never' }))).toBe('${variable:y}');
  });

  test('is put in as it is, beside keys and whatever else looks like a placeholder', () => {
    const text = 'a ${variable:x} ${credential} $${env:A} ${HOME} ${variable:x}';
    expect(fillText(text, from({ x: '{"$&": "$1"}' }))).toBe(
      'a {"$&": "$1"} ${credential} $${env:A} ${HOME} {"$&": "$1"}',
    );
  });

  test.each(['a\r\nx-evil: 1', 'a\nb', 'a\u0000b', '日本'])(
    'that no header can carry is refused: %j',
    (value) => {
      expect(() => fillHeader('v=${variable:x}', from({ x: value }))).toThrow(/header|control/);
    },
  );

  test('makes no option of an argument', () => {
    expect(() => fillArgument('${variable:x}', from({ x: '--config=/etc/passwd' }))).toThrow('option');
    expect(fillArgument('--host=${variable:x}', from({ x: '-odd' }))).toBe('--host=-odd');
    expect(fillArgument('-${variable:x}', from({ x: 'v' }))).toBe('-v');
    expect(fillArgument('--literal', from({}))).toBe('--literal');
  });
});

test('the names that texts ask for are found once each', () => {
  expect(variableNames(['${variable:a} ${variable:b}', '${variable:a} ${credential:c} ${env:d}'])).toEqual([
    'a',
    'b',
  ]);
});
