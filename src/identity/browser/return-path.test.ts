import { expect, test } from 'vitest';
import { ownPath } from './return-path.ts';

test.each([
  ['/gateway/accounts', '/gateway/accounts'],
  ['/gateway/connect?link=abc', '/gateway/connect?link=abc'],
  ['/mcp-admin', '/mcp-admin'],
  ['/mcp-admin/users?search=%2F', '/mcp-admin/users?search=%2F'],
  ['/gateway/accounts#part', '/gateway/accounts'],
])('%s is a page of our own', (wanted, path) => {
  expect(ownPath(wanted, '/home')).toBe(path);
});

test.each([
  null,
  '',
  'https://evil.example/',
  '//evil.example/gateway/',
  '/\\evil.example',
  '\\\\evil.example',
  '/gateway\\..\\..\\evil.example',
  '/gateway/../../evil',
  '/gateway/%2e%2e/evil',
  '/gateway/\t/evil.example',
  ' /gateway/accounts',
  'javascript:alert(1)//gateway/',
  '/gatewayx',
  '/chat',
  'gateway/accounts',
  '///evil.example/gateway',
  '////evil.example/gateway/',
  'https:/gateway/accounts',
  'https:gateway/accounts',
  'http://own.invalid.evil.example/gateway',
  '/gateway@evil.example',
  '/gateway.evil.example/',
  '/%67ateway/accounts',
  '/%2f%2fevil.example/gateway',
  '/gateway/%2e%2e/%2e%2e//evil.example',
  '/gateway/.%2e/..//evil.example',
  '/gateway/\u0000//evil.example',
  '/gateway/\r\nLocation: https://evil.example',
  '/\u2044\u2044evil.example/gateway',
  'data:text/html,/gateway/',
  'blob:/gateway/',
  `/gateway/${'a'.repeat(5_000)}`,
])('%j leads nowhere but home', (wanted) => {
  expect(ownPath(wanted, '/home')).toBe('/home');
});
