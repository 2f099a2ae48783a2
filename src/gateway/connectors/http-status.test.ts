import { expect, test } from 'vitest';
import { statusError } from './http-status.ts';

const challenge = 'Bearer error="insufficient_scope", scope="a b"';

test.each([
  [403, challenge, ['a', 'b']],
  [403, ['Basic realm="x"', challenge], ['a', 'b']],
  [403, 'Bearer error="insufficient_scope"', undefined],
  [403, 'Bearer error="invalid_token", scope="a"', undefined],
  [403, 'DPoP error="insufficient_scope", scope="a"', undefined],
  [403, undefined, undefined],
  [401, challenge, undefined],
])('HTTP %s with %j asks for the permissions %j', (statusCode, value, scopes) => {
  const headers = value === undefined ? {} : { 'www-authenticate': value as string };
  const error = statusError('notes', { statusCode, headers });
  expect(error).toMatchObject({ kind: 'unauthorized', status: statusCode });
  expect(error.scopes).toEqual(scopes);
  expect(error.message).not.toContain('scope');
});
