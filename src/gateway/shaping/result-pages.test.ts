import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { createBus } from '../../platform/bus/bus.ts';
import { memoryTransport } from '../../platform/bus/memory.ts';
import { createLog } from '../../platform/log.ts';
import { createSealer } from '../../platform/sealer.ts';
import { isPageUri, type PageLimits, ResultPages } from './result-pages.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const alice = { principal: 'alice@acme.com', tenant: 'acme' };
const bob = { principal: 'bob@acme.com', tenant: 'acme' };
const time = { now: 1_000_000 };
const key = randomBytes(32);

async function nodes(count: number, limits?: PageLimits): Promise<[ResultPages, ...ResultPages[]]> {
  const open = memoryTransport();
  const made = await Promise.all(
    Array.from({ length: count }, async () => {
      const bus = await createBus({ open, sealer: createSealer(key, 'bus'), log: createLog('silent') });
      const sealer = createSealer(key, 'result-page');
      const pages = new ResultPages({ bus, sealer, clock: () => time.now, ...(limits && { limits }) });
      closing.push(
        () => bus.close(),
        () => pages.close(),
      );
      return pages;
    }),
  );
  const [first, ...others] = made;
  return [first!, ...others];
}

function keep(pages: ResultPages, text: string, reader = alice) {
  return pages.keep({ reader, server: 'files', tool: 'read', text, pageChars: 1_000 });
}

async function read(pages: ResultPages, uri: string, reader = alice) {
  const ref = pages.open(uri);
  return ref && pages.page(ref, reader);
}

test('pages put together are the text', async () => {
  const [pages] = await nodes(1);
  const text = `${'x'.repeat(999)}😀${'y'.repeat(2_500)}`;
  const kept = keep(pages, text);
  const parts = await Promise.all([2, 3, 4, 5].map((page) => read(pages, kept?.uri(page) ?? '')));
  expect(kept?.pages).toBe(5);
  expect(parts.map((part) => part?.text).join('')).toBe(text);
  expect(parts.every((part) => part?.text.isWellFormed() && part.pages === 5)).toBe(true);
  expect(await read(pages, kept?.uri(6) ?? '')).toBeUndefined();
  expect(await read(pages, kept?.uri(1) ?? '')).toBeUndefined();
});

test('nobody else reads them, and the same person not in another tenant', async () => {
  const [pages] = await nodes(1);
  const uri = keep(pages, 'secret')?.uri(2) ?? '';
  expect(await read(pages, uri, bob)).toBeUndefined();
  expect(await read(pages, uri, { ...alice, tenant: 'globex' })).toBeUndefined();
  expect((await read(pages, uri))?.text).toBe('secret');
});

test('another process reads them where they are, for their reader alone', async () => {
  const [a, b] = await nodes(2);
  const uri = keep(a, 'over there')?.uri(2) ?? '';
  expect((await read(b!, uri))?.text).toBe('over there');
  expect(await read(b!, uri, bob)).toBeUndefined();
});

test('made-up and altered URIs open nothing', async () => {
  const [pages] = await nodes(1);
  const uri = keep(pages, 'text')?.uri(2) ?? '';
  const other = createSealer(key, 'mcp-session').seal(JSON.stringify(['n', 'k', 's', 't']));
  for (const bad of [
    'toolgate://results/',
    'toolgate://results/abc',
    `${uri}0000000`,
    uri.replace('?', 'A?'),
    `toolgate://results/${other}`,
  ])
    expect(pages.open(bad)).toBeUndefined();
  expect([isPageUri(uri), isPageUri('file:///x'), isPageUri(undefined)]).toEqual([true, false, false]);
});

test('after their time they are gone', async () => {
  const [pages] = await nodes(1);
  const uri = keep(pages, 'text')?.uri(2) ?? '';
  time.now += 15 * 60_000;
  expect(await read(pages, uri)).toBeUndefined();
});

test('a full memory loses the oldest of the same principal first, then of anybody', async () => {
  const limits = { ttlMs: 60_000, bytesInAll: 20_000, bytesPerPrincipal: 10_000 };
  const [pages] = await nodes(1, limits);
  const uris = ['1', '2', '3'].map((name) => keep(pages, name.repeat(2_400))?.uri(2) ?? '');
  const ofBob = keep(pages, 'b'.repeat(2_400), bob)?.uri(2) ?? '';
  const present = () => Promise.all([...uris.map((uri) => read(pages, uri)), read(pages, ofBob, bob)]);
  expect((await present()).map((page) => page !== undefined)).toEqual([false, true, true, true]);
  for (const name of ['c', 'd']) keep(pages, 'x'.repeat(2_400), { principal: name, tenant: 'acme' });
  expect((await present()).map((page) => page !== undefined)).toEqual([false, false, true, true]);
  expect(keep(pages, 'x'.repeat(6_000))).toBeUndefined();
});

test('a process that has ended is answered for with nothing', async () => {
  const [a, b] = await nodes(2);
  const uri = keep(a, 'text')?.uri(2) ?? '';
  a.close();
  expect(await read(b!, uri)).toBeUndefined();
});

test('the length of a URI is known before there is one', async () => {
  const [pages] = await nodes(1);
  for (const tool of ['read', 'lösche', 'x'.repeat(128)]) {
    const kept = pages.keep({ reader: alice, server: 'files', tool, text: 'abc', pageChars: 1_000 });
    expect(pages.uriChars({ server: 'files', tool })).toBe(kept?.uri(2).length);
  }
});
