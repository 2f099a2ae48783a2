import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { createNetGuard } from './net-guard.ts';

const names: Record<string, string[]> = {
  'public.example': ['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
  'private.example': ['10.0.0.7'],
  'mixed.example': ['93.184.215.14', '127.0.0.1'],
  'mixed6.example': ['93.184.215.14', 'fe80::1%eth0'],
  'metadata.google.internal': ['169.254.169.254'],
  'empty.example': [],
  'odd.example': ['not an address'],
  'nat64.example': ['64:ff9b::8.8.8.8'],
  '127.0.0.1.nip.io': ['127.0.0.1'],
};

async function resolve(host: string): Promise<string[]> {
  const found = names[host];
  if (!found) throw new Error(`ENOTFOUND ${host}`);
  return found;
}

const guard = createNetGuard({ allow: [], resolve });

test.each([
  // Not http
  'ftp://public.example/',
  'file:///etc/passwd',
  'gopher://public.example/',
  'javascript:alert(1)',
  'data:text/plain,x',
  'ws://public.example/',
  'unix:/var/run/docker.sock',
  '//public.example/',
  'public.example',
  '',
  'http://',
  // User names
  'http://user@public.example/',
  'http://user:secret@public.example/',
  'http://public.example@127.0.0.1/',
  'http://public.example:secret@public.example/',
  'http://%31%32%37.0.0.1@public.example/',
  'http://public.example:80@public.example/',
  // Ports
  'http://public.example:0/',
  'http://93.184.216.34:00/',
  'http://public.example:65536/',
  'http://public.example:-1/',
  // IPv4
  'http://127.0.0.1/',
  'http://127.255.255.254/',
  'http://0.0.0.0/',
  'http://0.1.2.3/',
  'http://10.1.2.3/',
  'http://100.64.0.1/',
  'http://100.100.100.200/',
  'http://100.127.255.255/',
  'http://169.254.169.254/latest/meta-data/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1:8080/',
  'http://192.0.0.192/',
  'http://192.0.2.1/',
  'http://198.18.0.1/',
  'http://198.51.100.1/',
  'http://203.0.113.1/',
  'http://224.0.0.1/',
  'http://239.255.255.250/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://168.63.129.16/',
  // The same in disguise
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://017700000001/',
  'http://127.1/',
  'http://0/',
  'http://127.0.0.1./',
  'http://１２７.０.０.１/',
  'http://127。0。0。1/',
  'http://%31%32%37.0.0.1/',
  'http:\\\\127.0.0.1\\',
  'http:127.0.0.1',
  ' http://127.0.0.1/',
  'http://127.0.0.1\t/',
  'HTTP://127.0.0.1/',
  'http://0xa9fea9fe/',
  'http://0xa9.0xfe.0xa9.0xfe/',
  'http://0251.0376.0251.0376/',
  'http://2852039166/',
  'http://169.254.43518/',
  'http://0xa9fe.43518/',
  'http://127.0.1/',
  'http://1.0.0.127.in-addr.arpa./',
  'http://127.0.0.1%00.public.example/',
  'http://127.0.0.1#@public.example/',
  'http://127.0.0.1\\@public.example/',
  'http://127.0.0.1?@public.example/',
  'http://ⓛocalhost/',
  'http://①②⑦.⓪.⓪.①/',
  // IPv6
  'http://[::]/',
  'http://[::1]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[fc00::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://[febf::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
  'http://[100::1]/',
  'http://[2001:db8::1]/',
  'http://[3fff::1]/',
  'http://[5f00::1]/',
  'http://[4000::1]/',
  'http://[fd00::5efe:8.8.8.8]/',
  // IPv4 within IPv6
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::ffff:0:10.0.0.1]/',
  'http://[::10.0.0.1]/',
  'http://[64:ff9b::10.0.0.1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://[64:ff9b:1::8.8.8.8]/',
  'http://[2002:7f00:1::1]/',
  'http://[2002:a9fe:a9fe::]/',
  'http://[2001:0:7f00:1::f7f7:f7f7]/',
  'http://[2001:0:808:808::80ff:fffe]/',
  'http://[2606:4700::5efe:10.0.0.1]/',
  'http://[2606:4700::200:5efe:a9fe:a9fe]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]:8080/',
  // Names
  'http://localhost/',
  'http://LOCALHOST:3000/',
  'http://localhost./',
  'http://api.localhost/',
  'http://public.example./',
  'http://private.example/',
  'http://mixed.example/',
  'http://mixed6.example/',
  'http://metadata.google.internal/',
  'http://127.0.0.1.nip.io/',
  'http://empty.example/',
  'http://odd.example/',
  'http://unknown.example/',
])('%j is refused', async (url) => {
  await expect(guard.checkUrl(url)).rejects.toMatchObject({ code: 'url_not_allowed', status: 400 });
});

test.each([
  'http://public.example/',
  'https://public.example:8443/mcp?x=1',
  'https://PUBLIC.example/',
  'http://93.184.215.14/',
  'http://100.63.255.255/',
  'http://100.128.0.1/',
  'http://172.15.0.1/',
  'http://172.32.0.1/',
  'http://11.0.0.1/',
  'http://[2606:4700::1111]/',
  'http://[2606:4700::5efe:8.8.8.8]/',
  'http://public.example:443/',
  'http://[::ffff:8.8.8.8]/',
  'http://[64:ff9b::808:808]/',
  'http://[2002:808:808::1]/',
  'http://nat64.example/',
])('%j is allowed', async (url) => {
  await expect(guard.checkUrl(url)).resolves.toBeUndefined();
});

test.each([
  ['10.0.0.0/8', 'http://private.example/', true],
  ['10.0.0.0/8', 'http://[::ffff:10.9.9.9]/', true],
  ['10.0.0.7', 'http://private.example/', true],
  ['10.0.0.8', 'http://private.example/', false],
  ['10.0.0.0/8', 'http://192.168.0.1/', false],
  ['127.0.0.0/8', 'http://localhost:3000/', true],
  ['::1', 'http://localhost:3000/', true],
  ['127.0.0.0/8', 'http://mixed.example/', true],
  ['fd00::/8', 'http://[fd12::1]/', true],
  ['fd00::/8', 'http://[fe80::1]/', false],
  ['0.0.0.0/0', 'ftp://10.0.0.1/', false],
])('with %j allowed in the config file, %j is allowed: %j', async (range, url, expected) => {
  const check = createNetGuard({ allow: [range], resolve }).checkUrl(url);
  await (expected
    ? expect(check).resolves.toBeUndefined()
    : expect(check).rejects.toMatchObject({ code: 'url_not_allowed' }));
});

test.each(['10.0.0.0/33', '10.0.0.0/', 'fd00::/129', 'example.com', '', '10.0.0/8', '10.0.0.0/8/8'])(
  '%j is no range that can be allowed',
  (range) => {
    expect(() => createNetGuard({ allow: [range] })).toThrow(
      expect.objectContaining({ code: 'network_allow_invalid' }),
    );
  },
);

test('the refusal names the host, the reason and how an operator allows it', async () => {
  await expect(guard.checkUrl('http://private.example/path?key=secret')).rejects.toThrow(
    'This URL is not allowed: private.example resolves to 10.0.0.7, which is no public address; an operator can allow it in the config file under network.allow.',
  );
});

async function startServer(): Promise<number> {
  const server = createServer((_, response) => response.end('inside')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test('a name that resolves to another address after the check is refused when it is connected to', async () => {
  const port = await startServer();
  const answers = [['93.184.215.14'], ['127.0.0.1']];
  const rebinding = createNetGuard({ allow: [], resolve: async () => answers.shift() ?? [] });
  const dispatcher = new Agent({ connect: { lookup: rebinding.lookup } });
  onTestFinished(() => dispatcher.close());
  const url = `http://rebind.example:${port}/`;
  await rebinding.checkUrl(url);
  await expect(request(url, { dispatcher })).rejects.toMatchObject({ code: 'url_not_allowed' });
});

test('an allowed name is connected to through the same look-up', async () => {
  const port = await startServer();
  const local = createNetGuard({ allow: ['127.0.0.1'], resolve: async () => ['127.0.0.1'] });
  const dispatcher = new Agent({ connect: { lookup: local.lookup } });
  onTestFinished(() => dispatcher.close());
  const { body } = await request(`http://inside.example:${port}/`, { dispatcher });
  expect(await body.text()).toBe('inside');
});

test('the look-up answers in the form that was asked for', async () => {
  const ask = (options: object) =>
    new Promise<unknown[]>((done) => guard.lookup('public.example', options, (...answer) => done(answer)));
  const v6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c';
  expect(await ask({})).toEqual([null, '93.184.215.14', 4]);
  expect(await ask({ family: 6 })).toEqual([null, v6, 6]);
  expect(await ask({ all: true, family: 'IPv6' })).toEqual([null, [{ address: v6, family: 6 }]]);
});
