import { expect, test } from 'vitest';
import { compileToolPatterns } from './patterns.ts';

test.each<[string[], string, boolean]>([
  [['*'], 'anything', true],
  [['*'], '', true],
  [['**'], 'anything', true],
  [['get_me'], 'get_me', true],
  [['get_me'], 'get_me2', false],
  [['get_me'], 'Get_me', false],
  [['get_*'], 'get_', true],
  [['get_*'], 'get_x', true],
  [['get_*'], 'forget_x', false],
  [['*_get'], 'x_get', true],
  [['*_get'], 'x_get_y', false],
  [['a*c*e'], 'abcde', true],
  [['a*c*e'], 'abcdef', false],
  [['g?t'], 'get', true],
  [['g?t'], 'gt', false],
  [['g?t'], 'geet', false],
  [['?*'], '', false],
  [['*?'], 'x', true],
  [['*', '!delete_*'], 'delete_repo', false],
  [['!delete_*', '*'], 'delete_repo', false],
  [['*', '!delete_*'], 'undelete_repo', true],
  [['get_*', 'delete_repo', '!delete_*'], 'delete_repo', false],
  [['*', '!*'], 'anything', false],
  [['!delete_*'], 'get_me', false],
  [[], 'get_me', false],
  [['get.me'], 'get_me', false],
  [['get(me)+[a]$'], 'get(me)+[a]$', true],
  [['!'], 'x', false],
])('%j on %j answers %s', (patterns, tool, allowed) => {
  expect(compileToolPatterns(patterns).allows(tool)).toBe(allowed);
});

test('only a positive * that nothing takes back means the whole server', () => {
  expect(compileToolPatterns(['*']).whole).toBe(true);
  expect(compileToolPatterns(['*', '!delete_*']).whole).toBe(true);
  expect(compileToolPatterns(['get_*', '**']).whole).toBe(true);
  expect(compileToolPatterns(['*_*']).whole).toBe(false);
  expect(compileToolPatterns(['get_*']).whole).toBe(false);
  expect(compileToolPatterns(['*', '!*']).whole).toBe(false);
});

test('two rules have one key exactly when they name the same patterns', () => {
  expect(compileToolPatterns(['b', 'a', 'a']).key).toBe(compileToolPatterns(['a', 'b']).key);
  expect(compileToolPatterns(['a,b']).key).not.toBe(compileToolPatterns(['a', 'b']).key);
});

test('a pattern made to run away comes to an end', () => {
  const rule = compileToolPatterns([`${'a*'.repeat(100)}b`]);
  expect(rule.allows('a'.repeat(100_000))).toBe(false);
});
