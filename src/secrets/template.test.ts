import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { credentialNames, expandHeaders, expandText, expandUrl } from './template.ts';

const secrets: Record<string, string> = {
  default: 'd3f',
  'app.key-2': 'k2',
  tricky: '${credential} $& $1 $$',
  broken: 'canary\r\nX-Admin: true',
  newline: 'canary\n',
  nul: 'canary\0',
  wide: 'canary–dash',
  url: 'a/b?c=d&e#f@evil.example:1',
};
const resolve = (name: string) => secrets[name] ?? '';

test.each([
  [[], []],
  [['no placeholder', '${env:HOME}', '$credential', '{credential}'], []],
  [['Bearer ${credential}'], ['default']],
  [
    ['${credential}${credential}', '${credential:b}-${credential:a.B_c-1}', '${credential:default}'],
    ['a.B_c-1', 'b', 'default'],
  ],
])('%j needs the credentials %j', (texts, names) => {
  expect(credentialNames(texts)).toEqual(names);
});

test.each(['${credential:}', '${credential:a b}', '${credential:a/b}', `\${credential:${'x'.repeat(65)}}`])(
  '%s names no credential',
  (text) => {
    const error = expect.objectContaining({ code: 'credential_placeholder_invalid' });
    expect(() => credentialNames([text])).toThrow(error);
    expect(() => expandText(text, resolve)).toThrow(error);
  },
);

test.each([
  ['plain', 'plain'],
  ['Bearer ${credential}', 'Bearer d3f'],
  ['${credential}:${credential:app.key-2}', 'd3f:k2'],
  ['a ${credential:tricky} b', 'a ${credential} $& $1 $$ b'],
  ['${env:HOME}', '${env:HOME}'],
])('%j expands to %j', (text, expanded) => {
  expect(expandText(text, resolve)).toBe(expanded);
});

test('a secret cannot change where a URL goes', () => {
  const url = new URL(expandUrl('https://api.example/${credential:url}?key=${credential:url}', resolve));
  expect(url.host).toBe('api.example');
  expect(url.searchParams.get('key')).toBe(secrets['url']);
  expect(url.hash).toBe('');
});

test('headers are expanded by value', () => {
  const headers = {
    Authorization: 'Bearer ${credential}',
    'X-Fixed': 'caf\u00e9\t1',
    'X-Key': '${credential:app.key-2}',
  };
  expect(expandHeaders(headers, resolve)).toEqual({
    Authorization: 'Bearer d3f',
    'X-Fixed': 'caf\u00e9\t1',
    'X-Key': 'k2',
  });
});

test.each(['broken', 'newline', 'nul', 'wide'])(
  'the secret "%s" is refused in a header and not repeated',
  (name) => {
    let thrown: unknown;
    try {
      expandHeaders({ 'X-Key': `\${credential:${name}}` }, resolve);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'credential_malformed' });
    expect(inspect(thrown, { depth: 9 })).not.toContain('canary');
  },
);

test('a secret with several lines may stand in an environment value, one with NUL may not', () => {
  expect(expandText('${credential:broken}', resolve)).toBe(secrets['broken']);
  expect(() => expandText('${credential:nul}', resolve)).toThrow(
    expect.objectContaining({ code: 'credential_malformed' }),
  );
});

test('a missing credential is the error of whoever resolves it', () => {
  const missing = () => {
    throw new Error('no such credential');
  };
  expect(() => expandText('${credential}', missing)).toThrow('no such credential');
});
