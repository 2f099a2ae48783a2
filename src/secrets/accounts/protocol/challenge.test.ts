import { expect, test } from 'vitest';
import { readChallenge } from './challenge.ts';

const metadata = 'https://h.example.com/.well-known/oauth-protected-resource/mcp';

test.each([
  [null, undefined, undefined],
  ['', undefined, undefined],
  ['Bearer', undefined, undefined],
  [`Bearer resource_metadata="${metadata}"`, metadata, undefined],
  [`bearer realm="x", resource_metadata="${metadata}", scope="a b"`, metadata, ['a', 'b']],
  [`Bearer error="invalid_token",resource_metadata=${metadata}`, metadata, undefined],
  [`Basic realm="Bearer, scope=x", Bearer scope="a"`, undefined, ['a']],
  [`Bearer scope="a", DPoP scope="b", resource_metadata="${metadata}"`, undefined, ['a']],
  [`DPoP resource_metadata="https://evil.example.com"`, undefined, undefined],
  [`Bearer scope="a \\" \\\\ b\u0000"`, undefined, ['a']],
  [`Bearer scope="a a a"`, undefined, ['a']],
  [`Bearer scope="a", scope="b"`, undefined, ['a']],
  ['Bearer scope="never ends', undefined, undefined],
])('%s', (header, resourceMetadata, scopes) => {
  expect(readChallenge(header)).toMatchObject({ resourceMetadata, scopes });
});

test('a header of any length and shape is read in time', () => {
  expect(readChallenge(`Bearer ${'a="'.repeat(50_000)}`)).toBeDefined();
  expect(readChallenge(`Bearer scope="${'\\'.repeat(100_001)}`)).toBeDefined();
  expect(readChallenge(`Bearer ${' ,'.repeat(100_000)}`).scopes).toBeUndefined();
});
