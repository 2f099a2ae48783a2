import { expect, test } from 'vitest';
import { isAsset, isCostly, isOpenWebUis, templateOf } from './paths.ts';

test.each([
  ['/', true],
  ['/auth', true],
  ['/api/v1/chats/', true],
  ['/ws/socket.io/', true],
  ['/tools-of-mine', true],
  ['/mcpo', true],
  ['/.well-known/security.txt', true],
  ['/mcp', false],
  ['/mcp/github', false],
  ['/sse', false],
  ['/t/acme/mcp', false],
  ['/g/Support/mcp', false],
  ['/tools/openapi.json', false],
  ['/servers', false],
  ['/gateway/anything', false],
  ['/mcp-admin', false],
  ['/v1/chat/completions', false],
  ['/chat', false],
  ['/.well-known/oauth-authorization-server', false],
  ['/.well-known/openid-configuration', false],
  ['http://evil.example/', false],
  ['*', false],
  ['', false],
])('%s is Open WebUI’s: %s', (path, expected) => expect(isOpenWebUis(path)).toBe(expected));

test.each([
  ['GET', '/_app/immutable/chunks/a.b-1.js', true],
  ['HEAD', '/static/favicon.png', true],
  ['GET', '/manifest.json', true],
  ['POST', '/_app/immutable/a.js', false],
  ['GET', '/_app/../api/v1/chats', false],
  ['GET', '/_app/%2e%2e/api', false],
  ['GET', '/_app//a.js', false],
  ['GET', '/static/a\\..\\b', false],
  ['GET', '/static/', false],
  ['GET', '/cache/image/a.png', false],
  ['GET', '/api/config', false],
  ['GET', '/favicon.png/x', false],
])('%s %s is a file for everybody: %s', (method, path, expected) =>
  expect(isAsset(method, path)).toBe(expected),
);

test.each([
  ['/api/v1/chats/8a1f', '/api/v1/chats/{id}'],
  ['/api/v1/chats/8a1f/', '/api/v1/chats/{id}'],
  ['/api/v1/chats/new', '/api/v1/chats/new'],
  ['/api/v1/chats/', '/api/v1/chats/'],
  ['/api/v1/chats/8a1f/messages/77/event', '/api/v1/chats/{id}/messages/{message}/event'],
  ['/api/v1/chats/8a1f/made/up/by/somebody', '/api/v1/chats/*'],
  ['/api/v1/users/8a1f/profile/image', '/api/v1/users/{id}/profile/image'],
  ['/api/chat/completions', '/api/chat/completions'],
  ['/ws/socket.io/', '/ws/socket.io'],
  ['/_app/immutable/a.js', '/_app/*'],
  ['/c/8a1f', '/c/{id}'],
  ['/', '/'],
  ['/whatever/somebody/makes/up', '/*'],
  ['//api/v1/chats/8a1f', '/*'],
  ['/api/v1/new-router-of-theirs/x', '/api/v1/*'],
])('%s is recorded as %s', (path, expected) => expect(templateOf(path)).toBe(expected));

test('what is made up never becomes a name of its own', () => {
  const made = Array.from({ length: 500 }, (_, at) => templateOf(`/api/v1/chats/${at}/x${at}/y${at}`));
  expect(new Set(made).size).toBe(1);
});

test('everything but reading counts, however the path is spelled', () => {
  expect(['GET', 'HEAD', 'OPTIONS'].map(isCostly)).toEqual([false, false, false]);
  expect(['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'QUERY', ''].every(isCostly)).toBe(true);
});
