import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSealer } from './sealer.ts';

const key = randomBytes(32);

test('what was sealed opens again, and looks different each time', () => {
  const sealer = createSealer(key, 'a');
  const one = sealer.seal('text with ünicode');
  expect(sealer.open(one)).toBe('text with ünicode');
  expect(sealer.seal('text with ünicode')).not.toBe(one);
  expect(one).not.toContain('text');
});

test.each([
  ['another purpose', (sealed: string) => createSealer(key, 'b').open(sealed)],
  ['another key', (sealed: string) => createSealer(randomBytes(32), 'a').open(sealed)],
  ['one changed character', (sealed: string) => createSealer(key, 'a').open(flip(sealed))],
  ['another spelling of the same bytes', (sealed: string) => createSealer(key, 'a').open(`${sealed}=`)],
  ['half of it', (sealed: string) => createSealer(key, 'a').open(sealed.slice(0, sealed.length / 2))],
  ['nothing', () => createSealer(key, 'a').open('')],
])('%s does not open it', (_what, open) => {
  expect(open(createSealer(key, 'a').seal('secret'))).toBeUndefined();
});

function flip(sealed: string): string {
  return `${sealed.slice(0, 20)}${sealed[20] === 'A' ? 'B' : 'A'}${sealed.slice(21)}`;
}
