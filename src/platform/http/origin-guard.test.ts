import { expect, test } from 'vitest';
import { createOriginGuard, type OriginGuard } from './origin-guard.ts';

const local = createOriginGuard({ bindHost: '127.0.0.1', publicUrl: 'http://localhost:8085', allowed: [] });
const open = createOriginGuard({
  bindHost: '0.0.0.0',
  publicUrl: 'https://gate.example.com',
  allowed: ['https://chat.example.com'],
});
const anyone = createOriginGuard({
  bindHost: '0.0.0.0',
  publicUrl: 'https://gate.example.com',
  allowed: ['*'],
});

test.each<[string, OriginGuard, string | undefined, string | undefined, boolean]>([
  ['its own name', local, 'localhost:8085', undefined, true],
  ['its address', local, '127.0.0.1:8085', undefined, true],
  ['its other address', local, '[::1]:8085', undefined, true],
  ['its name in capitals, without a port', local, 'LOCALHOST', undefined, true],
  ['a name that was pointed at it', local, 'evil.example', undefined, false],
  ['a name that begins like its own', local, 'localhost.evil.example', undefined, false],
  ['no host at all', local, undefined, undefined, false],
  ['a page of this machine', local, 'localhost', 'http://localhost:3000', true],
  ['a page of its own', local, 'localhost:8085', 'http://localhost:8085', true],
  ['a foreign page', local, 'localhost:8085', 'https://evil.example', false],
  ['a page without an origin, as in a sandbox', local, 'localhost:8085', 'null', false],
  ['an origin that is none', local, 'localhost:8085', 'localhost', false],
  ['any name, when it listens to the network', open, 'anything.example', undefined, true],
  ['its public page', open, 'gate.example.com', 'https://gate.example.com', true],
  ['its public page over plain HTTP', open, 'gate.example.com', 'http://gate.example.com', false],
  ['a page on the list', open, 'gate.example.com', 'https://chat.example.com', true],
  ['a page below one on the list', open, 'gate.example.com', 'https://x.chat.example.com', false],
  ['a page of some machine', open, 'gate.example.com', 'http://localhost:3000', false],
  ['any page, when all are allowed', anyone, 'gate.example.com', 'https://evil.example', true],
])('%s', (_what, ...[guard, host, origin, ok]) => {
  expect(guard.check(host, origin).ok).toBe(ok);
});

test('a public name counts beside those of the loopback', () => {
  const guard = createOriginGuard({
    bindHost: '127.0.0.1',
    publicUrl: 'https://gate.example.com',
    allowed: [],
  });
  expect(guard.check('gate.example.com', undefined).ok).toBe(true);
});

test('only a page on the list is told that it may read the answer, and never with cookies', () => {
  const headersFor = (guard: typeof open, origin: string) => {
    const verdict = guard.check('gate.example.com', origin);
    return verdict.ok ? new Map(verdict.headers) : undefined;
  };
  expect(headersFor(open, 'https://gate.example.com')?.size).toBe(0);
  const listed = headersFor(open, 'https://chat.example.com');
  expect(listed?.get('access-control-allow-origin')).toBe('https://chat.example.com');
  expect(listed?.get('vary')).toBe('origin');
  expect(headersFor(anyone, 'https://evil.example')?.has('access-control-allow-credentials')).toBe(false);
});
