// Clients that keep connections and do nothing with them, against the real program.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { askModern, bearer, closeLater, textOf } from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const attacker = '127.0.0.2';
const crowd = '127.0.0.3';
const proxy = '127.0.0.9';
const most = 700;

let gate: Gate;
let token: string;
const open: { destroy(): void }[] = [];

beforeAll(async () => {
  const upstream = closeLater(await startHostileHttp());
  gate = await startGate({
    config: configOf(
      { plain: { type: 'http', url: upstream.url('ok') } },
      { limits: { clientConnections: most } },
    ),
    env: { TRUSTED_PROXIES: proxy },
  });
  token = await gate.tokenFor('alice@acme.com');
}, 60_000);

afterAll(() => {
  for (const one of open.splice(0)) one.destroy();
});

interface Client {
  readonly socket: Socket;
  heard: string;
  isClosed: boolean;
}

async function clientFrom(localAddress: string): Promise<Client> {
  const socket = connect({ port: Number(new URL(gate.url).port), host: '127.0.0.1', localAddress });
  open.push(socket);
  const client = { socket, heard: '', isClosed: false };
  socket
    .setEncoding('latin1')
    .on('data', (part: string) => (client.heard = (client.heard + part).slice(0, 2_000)));
  socket.on('error', () => undefined);
  socket.on('close', () => (client.isClosed = true));
  await once(socket, 'connect');
  return client;
}

/** So many that begin alike and go on with a byte at a time. */
async function dripping(count: number, begin: string): Promise<Client[]> {
  const clients: Client[] = [];
  for (let n = 0; n < count; n++) {
    const client = await clientFrom(attacker);
    client.socket.write(begin);
    const timer = setInterval(() => client.isClosed || client.socket.write('a'), 1_000);
    open.push({ destroy: () => clearInterval(timer) });
    clients.push(client);
  }
  return clients;
}

const head = (line: string, more: Readonly<Record<string, string>>) =>
  `${line} HTTP/1.1\r\nHost: localhost\r\n${Object.entries(more)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}`;

function residentBytes(): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gate.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

const served = async () => {
  const raw = { url: `${gate.url}/mcp/plain`, token };
  const { message } = await askModern(raw, 'tools/call', { name: 'echo', arguments: { text: 'x' } });
  return textOf(message.result).text;
};

test('heads and bodies a byte at a time, and connections that say no more, all end; others are served meanwhile', async () => {
  expect(await served()).toBe('x');
  const before = residentBytes();
  const body = { 'Content-Type': 'application/json', 'Content-Length': '100000' };
  const slow = {
    heads: await dripping(200, head('GET /mcp', { 'X-Slow': '' }).trimEnd()),
    'bodies of nobody': await dripping(100, `${head('POST /mcp', body)}\r\n{`),
    'bodies of a person': await dripping(100, `${head('POST /mcp', { ...body, ...bearer(token) })}\r\n{`),
    'bodies in chunks': await dripping(
      100,
      `${head('POST /mcp', { ...bearer(token), 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' })}\r\n fff0\r\n`.replace(
        ' fff0',
        'fff0',
      ),
    ),
  };
  const idle: Client[] = [];
  for (let n = 0; n < 100; n++) {
    const client = await clientFrom(attacker);
    client.socket.write(`${head('GET /gateway/health', {})}\r\n`);
    idle.push(client);
  }
  await eventually('those that said no more are answered', () =>
    idle.every(({ heard }) => heard.includes('200 OK')),
  );
  const all = Object.entries({ ...slow, idle });
  let largest = before;
  await eventually(
    'all of them are closed',
    async () => {
      expect(await served()).toBe('x');
      largest = Math.max(largest, residentBytes());
      return all.every(([, clients]) => clients.every(({ isClosed }) => isClosed));
    },
    110,
  ).catch((error: unknown) => {
    const left = all.map(
      ([what, clients]) => `${what}: ${clients.filter(({ isClosed }) => !isClosed).length}`,
    );
    throw new Error(`still open: ${left.join(', ')}`, { cause: error });
  });
  for (const { heard } of slow.heads) expect(heard).toMatch(/^HTTP\/1\.1 408 /);
  for (const { heard } of slow['bodies of nobody']) expect(heard).toMatch(/^HTTP\/1\.1 401 /);
  // 600 connections, of which each may cost some kilobytes.
  expect(largest - before).toBeLessThan(150 * 1024 * 1024);
}, 150_000);

test('one address has only so many connections, however busy; another is served, and a trusted proxy has any number', async () => {
  const clients: Client[] = [];
  for (let n = 0; n < most; n++) {
    const client = await clientFrom(crowd);
    client.socket.write(`${head('GET /gateway/health', {})}\r\n`);
    clients.push(client);
  }
  await eventually('all are answered', () => clients.every(({ heard }) => heard.includes('200 OK')));
  const late = await clientFrom(crowd);
  await eventually('one more is closed', () => late.isClosed);
  expect(late.heard).toBe('');
  expect(await served()).toBe('x');
  clients[0]?.socket.destroy();
  await eventually('one that ends makes room', async () => {
    const next = await clientFrom(crowd);
    next.socket.write(`${head('GET /gateway/health', { Connection: 'close' })}\r\n`);
    await eventually('it is over', () => next.isClosed);
    return next.heard.includes('200 OK');
  });
  for (let n = 0; n < most + 10; n++) {
    const client = await clientFrom(proxy);
    client.socket.write(`${head('GET /gateway/health', { 'X-Forwarded-For': '203.0.113.9' })}\r\n`);
    clients.push(client);
  }
  await eventually('all of the proxy are answered', () =>
    clients.slice(1).every(({ heard }) => heard.includes('200 OK')),
  );
}, 90_000);
