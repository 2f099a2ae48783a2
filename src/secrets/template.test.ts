import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import {
  credentialFault,
  credentialNames,
  expandArgument,
  expandHeaders,
  expandText,
  expandUrl,
} from './template.ts';

const secrets: Record<string, string> = {
  default: 'd3f',
  'app.key-2': 'k2',
  tricky: '${credential} $& $1 $$',
  broken: 'canary\r\nX-Admin: true',
  newline: 'canary\n',
  nul: 'canary\0',
  wide: 'canary–dash',
  url: 'a/b?c=d&e#f@evil.example:1',
  user: 'alice@acme.com',
  password: 'p:ä$&ss',
  pair: 'api-key:',
  up: '..',
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
  [
    ['Basic ${credential.basic:user:password}', 'postgres://${credential:user}:${credential.url:pw}@db/x'],
    ['password', 'pw', 'user'],
  ],
  [['${credential.basic}', '${credential.url}'], ['default']],
])('%j needs the credentials %j', (texts, names) => {
  expect(credentialNames(texts)).toEqual(names);
});

test.each([
  '${credential:}',
  '${credential:a b}',
  '${credential:a/b}',
  `\${credential:${'x'.repeat(65)}}`,
  '${credential:a:b}',
  '${credential.hex:a}',
  '${credential.Basic:a}',
  '${credential.basic:a:b:c}',
  '${credential.basic:a:}',
  '${credential.basic:}',
  '${credential.url:a:b}',
  '${credential.}',
])('%s names no credential, which is told when it is saved and again when it is used', (text) => {
  const error = expect.objectContaining({ code: 'credential_placeholder_invalid' });
  expect(() => credentialNames([text])).toThrow(error);
  expect(() => expandText(text, resolve)).toThrow(error);
  expect(credentialFault(`Bearer ${text}`)).toContain('not spelled');
});

test.each([
  '${ credential}',
  '${credentials}',
  '${credential',
  '${credential :a}',
  'a ${credentials:b} ${credential}',
])('%s would be sent as it stands, which is told when it is saved', (text) => {
  expect(credentialFault(text)).toContain('not spelled');
});

test.each([
  'no placeholder',
  '${env:HOME} ${variable:HOST} $credential {credential}',
  '${CREDENTIAL} ${credential_file} ${credential-of-shell}',
  'Token token=${credential}',
  '${credential.basic:user:password} ${credential.basic:pair} ${credential.url} ${credential:a.b}',
])('%s is no mistake', (text) => {
  expect(credentialFault(text)).toBeUndefined();
});

/** What vendors want, each with what the catalog knows of it. */
test.each([
  ['Bearer ${credential}', 'Bearer d3f'],
  ['Sentry-Bearer ${credential}', 'Sentry-Bearer d3f'],
  ['Token token=${credential}', 'Token token=d3f'],
  ['token ${credential}', 'token d3f'],
  ['ApiKey ${credential:app.key-2}', 'ApiKey k2'],
  ['${credential}', 'd3f'],
  ['Basic ${credential.basic:user:password}', `Basic ${btoa('alice@acme.com:p:Ã¤$&ss')}`],
  ['Basic ${credential.basic:pair}', `Basic ${btoa('api-key:')}`],
  ['{"Authorization": "Bearer ${credential}"}', '{"Authorization": "Bearer d3f"}'],
  [
    'postgres://${credential.url:user}:${credential.url:password}@db.acme.com/crm',
    'postgres://alice%40acme.com:p%3A%C3%A4%24%26ss@db.acme.com/crm',
  ],
])('%s is sent as %s', (template, sent) => {
  expect(expandText(template, resolve)).toBe(sent);
});

test('two headers take two keys', () => {
  const headers = { 'DD-API-KEY': '${credential:app.key-2}', 'DD-APPLICATION-KEY': '${credential}' };
  expect(expandHeaders(headers, resolve)).toEqual({ 'DD-API-KEY': 'k2', 'DD-APPLICATION-KEY': 'd3f' });
});

test.each([
  ['${credential.basic:pair:password}', 'holds a colon'],
  ['${credential.basic:user}', 'is no "user:password"'],
])('%s cannot be basic sign-in, and what it is stays unsaid', (text, why) => {
  expect(() => expandText(text, resolve)).toThrow(why);
  expect(() => expandText(text, resolve)).not.toThrow(/api-key|alice/);
});

test('other spellings of a secret are told, so that they can be kept out of what is shown', () => {
  const derived: string[] = [];
  const note = (text: string) => void derived.push(text);
  expandText('${credential.basic:user:password} ${credential.url:url} ${credential}', resolve, note);
  expandUrl('https://a.example/?auth=${credential.basic:pair}&b=${credential.url:user}', resolve, note);
  expect(derived).toEqual([
    ...[Buffer.from('alice@acme.com:p:ä$&ss').toString('base64'), encodeURIComponent(secrets['url'] ?? '')],
    ...[btoa('api-key:'), encodeURIComponent(btoa('api-key:')), 'alice%40acme.com'],
  ]);
});

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

test('a URL encodes a value once, whichever form it is asked for in', () => {
  expect(expandUrl('https://a.example/?k=${credential.url:url}', resolve)).toBe(
    expandUrl('https://a.example/?k=${credential:url}', resolve),
  );
});

test.each([
  'https://a.example/${credential:up}/mcp',
  'https://a.example/x/.${credential:dot}',
  'https://a.example/%2e${credential:dot}?a',
])('a secret cannot be a step up or aside in the path of %s', (url) => {
  const steps = (name: string) => ({ up: '..', dot: '.' })[name] ?? '';
  expect(() => expandUrl(url, steps)).toThrow(expect.objectContaining({ code: 'credential_malformed' }));
  expect(expandUrl(`https://a.example/../b?q=\${credential:up}`, steps)).toContain('q=..');
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

test('a secret cannot make an option of an argument', () => {
  const option = (name: string) => (name === 'pair' ? '--eval=evil' : '-');
  for (const text of ['${credential}', '${credential:pair}', '${credential:pair}/${credential}'])
    expect(() => expandArgument(text, option)).toThrow(
      expect.objectContaining({ code: 'credential_malformed' }),
    );
  expect(expandArgument('--key=${credential:pair}', option)).toBe('--key=--eval=evil');
  expect(expandArgument('-${credential:default}', resolve)).toBe('-d3f');
});

test('a missing credential is the error of whoever resolves it', () => {
  const missing = () => {
    throw new Error('no such credential');
  };
  expect(() => expandText('${credential}', missing)).toThrow('no such credential');
});
