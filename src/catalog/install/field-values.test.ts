import { expect, test } from 'vitest';
import { catalogField, type CatalogField } from '../contract.ts';
import { faultOf } from './field-values.ts';

function field(part: Partial<CatalogField>): CatalogField {
  return catalogField.parse({
    ...{ name: 'x', label: 'X', help: 'X', secret: false, required: true, format: 'text', example: null },
    ...{ goesTo: { kind: 'argument', name: 'x' }, keptAs: { kind: 'variable', name: 'x' } },
    ...part,
  });
}

const own = field({});
const inside = field({});
const header = field({ secret: true, goesTo: { kind: 'header', name: 'Authorization' } });
const key = field({ secret: true, goesTo: { kind: 'env', name: 'KEY' } });
const host = field({ format: 'host', goesTo: { kind: 'url', name: 'x' } });
const path = field({ format: 'path' });
const basic = field({ format: 'basic', secret: true, goesTo: { kind: 'header', name: 'Authorization' } });

test.each<[boolean, string, ...Parameters<typeof faultOf>]>([
  [true, 'a word as an argument of its own', own, 'acme', '{x}'],
  [false, 'an option as an argument of its own', own, '--volume=/:/host', '{x}'],
  [false, 'a dash as an argument of its own', own, '-', '{x}'],
  [false, 'an option at the beginning of an argument', own, '-v', '{x}:rw'],
  [true, 'a dash behind other text', inside, '-1', '--level={x}'],
  [false, 'nothing', own, '', '{x}'],
  [false, 'two lines', own, 'a\nb', '{x}'],
  [false, 'a carriage return', inside, 'a\rb', '--x={x}'],
  [false, 'NUL', inside, 'a\u0000b', '--x={x}'],
  [false, 'half a character', inside, '\ud800', '--x={x}'],
  [false, 'a placeholder of another kind', inside, '${env:HOME}', '--x={x}'],
  [false, 'a credential of the server', inside, '${credential}', '--x={x}'],
  [false, 'more than a variable holds', inside, 'a'.repeat(1001), '--x={x}'],
  [true, 'a secret with what looks like a placeholder', key, 'a${b}', ''],
  [true, 'a private key of several lines in the environment', key, '-----BEGIN\nabc\n-----END', ''],
  [false, 'NUL in the environment', key, 'a\u0000', ''],
  [false, 'two lines in a header', header, 'a\r\nX-Other: b', ''],
  [false, 'what no header carries', header, 'ключ', ''],
  [true, 'a token in a header', header, 'ghp_abc', ''],
  [true, 'a host', host, 'gitlab.acme.com', ''],
  [true, 'a host with a port', host, 'gitlab.acme.com:8443', ''],
  [true, 'an address', host, '[2001:db8::1]:443', ''],
  [false, 'a URL for a host', host, 'https://gitlab.acme.com', ''],
  [false, 'a host and a path', host, 'evil.com/x', ''],
  [false, 'a user before a host', host, 'a@evil.com', ''],
  [false, 'a query behind a host', host, 'evil.com?', ''],
  [false, 'a fragment behind a host', host, 'evil.com#', ''],
  [false, 'a backslash', host, 'evil.com\\x', ''],
  [false, 'an empty label', host, '.evil.com', ''],
  [true, 'a path', path, 'reports/2026', '{x}'],
  [true, 'here', path, '.', '{x}'],
  [false, 'the root', path, '/', '{x}'],
  [false, 'a way up', path, 'a/../../b', '{x}'],
  [false, 'a home', path, '~/x', '{x}'],
  [false, 'a drive', path, 'C:/x', '{x}'],
  [false, 'a backslash in a path', path, 'a\\..\\b', '{x}'],
  [true, 'user and password', basic, 'alice@acme.com:secret', ''],
  [false, 'a password alone', basic, 'secret', ''],
  [false, 'a user alone', basic, 'alice:', ''],
])('%s: %s', (fine, _, ...question) => {
  const [, value] = question;
  const fault = faultOf(...question);
  expect(fault === undefined).toBe(fine);
  if (value.length > 3) expect(fault ?? '').not.toContain(value);
});
