import { expect, test } from 'vitest';
import { isAddressRange, originReader } from './client-address.ts';

const trusted = ['10.0.0.0/8', '192.0.2.7', '2001:db8:1::/48'];
const read = originReader(trusted);

function from(peer: string, headers: Record<string, string | string[]> = {}) {
  return read({ socket: { remoteAddress: peer }, headers: { host: 'gate.acme.com', ...headers } });
}

test.each<[string, string, Record<string, string>, string]>([
  ['no proxy', '203.0.113.9', {}, '203.0.113.9'],
  ['IPv4 in IPv6', '::ffff:203.0.113.9', {}, '203.0.113.9'],
  ['a zone', 'fe80::1%eth0', {}, 'fe80::1'],
  ['another spelling', '2001:0DB8:0:0::1', {}, '2001:db8::1'],
  ['a header of somebody whom nobody trusts', '203.0.113.9', { 'x-forwarded-for': '1.1.1.1' }, '203.0.113.9'],
  ['Forwarded of somebody whom nobody trusts', '203.0.113.9', { forwarded: 'for=1.1.1.1' }, '203.0.113.9'],
  ['one proxy', '10.1.1.1', { 'x-forwarded-for': '203.0.113.9' }, '203.0.113.9'],
  ['one proxy, IPv4 in IPv6', '::ffff:10.1.1.1', { 'x-forwarded-for': '203.0.113.9' }, '203.0.113.9'],
  ['a proxy by its address alone', '192.0.2.7', { 'x-forwarded-for': '203.0.113.9' }, '203.0.113.9'],
  ['its neighbour', '192.0.2.8', { 'x-forwarded-for': '203.0.113.9' }, '192.0.2.8'],
  ['a proxy with IPv6', '2001:db8:1::5', { 'x-forwarded-for': '2001:db8:9::1' }, '2001:db8:9::1'],
  ['two proxies', '10.1.1.1', { 'x-forwarded-for': '203.0.113.9, 10.2.2.2' }, '203.0.113.9'],
  ['what the client sent itself', '10.1.1.1', { 'x-forwarded-for': '1.1.1.1, 203.0.113.9' }, '203.0.113.9'],
  [
    'a trusted address that the client sent',
    '10.1.1.1',
    { 'x-forwarded-for': '10.9.9.9, 203.0.113.9' },
    '203.0.113.9',
  ],
  ['a client inside', '10.1.1.1', { 'x-forwarded-for': '10.3.3.3, 10.2.2.2' }, '10.3.3.3'],
  ['nonsense behind a proxy', '10.1.1.1', { 'x-forwarded-for': 'evil, 10.2.2.2' }, '10.2.2.2'],
  ['nonsense alone', '10.1.1.1', { 'x-forwarded-for': 'unknown' }, '10.1.1.1'],
  ['nothing in it', '10.1.1.1', { 'x-forwarded-for': '' }, '10.1.1.1'],
  ['an empty place', '10.1.1.1', { 'x-forwarded-for': '203.0.113.9,' }, '10.1.1.1'],
  ['a port', '10.1.1.1', { 'x-forwarded-for': '203.0.113.9:4711' }, '203.0.113.9'],
  ['IPv6 with a port', '10.1.1.1', { 'x-forwarded-for': '[2001:db8:9::1]:4711' }, '2001:db8:9::1'],
  ['IPv4 in IPv6 behind a proxy', '10.1.1.1', { 'x-forwarded-for': '::ffff:203.0.113.9' }, '203.0.113.9'],
  ['Forwarded', '10.1.1.1', { forwarded: 'for=203.0.113.9;proto=https;by=10.1.1.1' }, '203.0.113.9'],
  ['Forwarded with IPv6', '10.1.1.1', { forwarded: 'For="[2001:db8:9::1]:4711"' }, '2001:db8:9::1'],
  [
    'Forwarded with a comma in quotes',
    '10.1.1.1',
    { forwarded: 'for=1.1.1.1;host="a,b", for=203.0.113.9' },
    '203.0.113.9',
  ],
  ['Forwarded that hides', '10.1.1.1', { forwarded: 'for=_hidden' }, '10.1.1.1'],
  [
    'both headers that agree',
    '10.1.1.1',
    { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' },
    '203.0.113.9',
  ],
  [
    'both headers that differ',
    '10.1.1.1',
    { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=1.1.1.1' },
    '10.1.1.1',
  ],
  [
    'both headers of different length',
    '10.1.1.1',
    { 'x-forwarded-for': '9.9.9.9, 203.0.113.9', forwarded: 'for=203.0.113.9' },
    '10.1.1.1',
  ],
  [
    'more hops than there are proxies',
    '10.1.1.1',
    { 'x-forwarded-for': `1.1.1.1, ${'10.2.2.2, '.repeat(5_000)}10.2.2.3` },
    '10.2.2.2',
  ],
  ['X-Real-IP, which nobody reads', '10.1.1.1', { 'x-real-ip': '1.1.1.1' }, '10.1.1.1'],
])('%s', (_what, peer, headers, expected) => {
  expect(from(peer, headers).clientIp).toBe(expected);
});

test('scheme and host are believed of a trusted proxy alone', () => {
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'chat.acme.com:8443' };
  expect(from('10.1.1.1', headers)).toMatchObject({ protocol: 'https', host: 'chat.acme.com:8443' });
  expect(from('203.0.113.9', headers)).toMatchObject({ protocol: 'http', host: 'gate.acme.com' });
  const both = { 'x-forwarded-proto': 'https, http', 'x-forwarded-host': 'evil.example, chat.acme.com' };
  expect(from('10.1.1.1', both)).toMatchObject({ protocol: 'http', host: 'chat.acme.com' });
  const standard = { forwarded: 'for=203.0.113.9;proto=https;host="chat.acme.com"' };
  expect(from('10.1.1.1', standard)).toMatchObject({ protocol: 'https', host: 'chat.acme.com' });
  for (const host of ['a b', 'a/b', 'a@b', '<x>', ''])
    expect(from('10.1.1.1', { 'x-forwarded-host': host }).host).toBe('gate.acme.com');
});

test('nobody is trusted where nobody is named, and a connection that is gone has no address', () => {
  const headers = { 'x-forwarded-for': '1.1.1.1' };
  expect(originReader([])({ socket: { remoteAddress: '127.0.0.1' }, headers }).clientIp).toBe('127.0.0.1');
  expect(originReader(['127.0.0.1'])({ socket: { remoteAddress: undefined }, headers }).clientIp).toBe('');
});

test.each([
  ['10.0.0.0/8', true],
  ['10.1.2.3', true],
  ['::1', true],
  ['2001:db8::/32', true],
  ['10.0.0.0/33', false],
  ['2001:db8::/129', false],
  ['10.0.0.0/', false],
  ['10.0.0.0/8/8', false],
  ['localhost', false],
  ['', false],
])('%s is an address or a range: %s', (text, expected) => {
  expect(isAddressRange(text)).toBe(expected);
});
