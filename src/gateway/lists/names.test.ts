import { expect, test } from 'vitest';
import { longestName, mergedName, splitName, unshortened } from './names.ts';

test('a short plain name keeps its spelling and splits back', () => {
  expect(mergedName('github', 'get_issue')).toBe('github__get_issue');
  expect(splitName('github__get_issue')).toEqual({ server: 'github', rest: 'get_issue', isHashed: false });
  expect(splitName('a-b__c__d')).toEqual({ server: 'a-b', rest: 'c__d', isHashed: false });
  expect(splitName('nothing')).toBeUndefined();
  expect(splitName('__x')).toBeUndefined();
});

test.each([
  ['longest-server-id-of-24ch', 'a_tool_with_a_name_that_goes_on_and_on'],
  ['files', 'read.file'],
  ['files', 'emoji-\u{1F600}'],
  ['files', 'looks_like_h123abc'],
])('%s %s becomes a safe name of at most 47 characters that says it is hashed', (server, tool) => {
  const name = mergedName(server, tool);
  expect(name.length).toBeLessThanOrEqual(longestName);
  expect(name).toMatch(/^[A-Za-z0-9_-]+$/);
  expect(splitName(name)).toMatchObject({ server, isHashed: true });
});

test('names that differ only in replaced characters stay apart', () => {
  const names = ['a.b', 'a/b', 'a b', 'a_b'].map((tool) => mergedName('s', tool));
  expect(new Set(names).size).toBe(4);
});

test('a shortened name is found again in the list that it is of, and in no other', () => {
  const items = [{ key: 'plain' }, { key: 'read.file' }, { key: 'x'.repeat(60) }];
  for (const { key } of items.slice(1)) expect(unshortened('s', items, mergedName('s', key))).toBe(key);
  expect(unshortened('s', items, 's__plain')).toBeUndefined();
  expect(unshortened('s', [{ key: 'plain' }], mergedName('s', 'read.file'))).toBeUndefined();
});
