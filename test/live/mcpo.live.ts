// mcpo as a client: the proxy that many people have in front of one MCP server, pointed at Toolgate.
import path from 'node:path';
import { tmpdir } from 'node:os';
import { beforeAll, expect, test } from 'vitest';
import { freePort, type Json } from '../e2e/program.ts';
import { start, untilAnswers } from './process.ts';
import { pythonPackage } from './venv.ts';
import { startWorld, type World } from './world.ts';

let world: World;
let url: string;

beforeAll(async () => {
  // It names no newest versions of what it needs, and does not start with those of today.
  const bin = await pythonPackage('mcpo', '0.0.20', 'mcp<2', 'fastapi==0.128.0');
  world = await startWorld();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const header = JSON.stringify({ Authorization: `Bearer ${world.tokens.bob}` });
  const args = [
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--type',
    'streamable-http',
    '--header',
    header,
  ];
  const env = { PATH: '/usr/bin:/bin', HOME: tmpdir() };
  const running = start(
    path.join(bin, 'mcpo'),
    [...args, '--', `${world.gate.url}/mcp/whoami`],
    env,
    tmpdir(),
  );
  await untilAnswers(running, `${url}/openapi.json`, 60);
});

const call = async (tool: string): Promise<readonly [number, Json]> => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/${tool}`, { method: 'POST', headers, body: '{}' });
  return [response.status, await response.json()];
};

test("it makes routes of the person's tools, and of no others", async () => {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Json;
  expect(Object.keys(document.paths)).toEqual(['/who_am_i']);
});

test('it calls one', async () => {
  expect(await call('who_am_i')).toEqual([200, 'who_am_i with beta-key']);
});

test('it passes on in words that a grant has ended', async () => {
  await world.gate.admin('PUT', '/groups/Beta/servers/whoami', { tools: ['nothing'] });
  const [status, body] = await call('who_am_i');
  expect(status).toBe(500);
  // mcpo catches its own error and puts the sentence into that of another.
  expect(body.detail.error).toContain('There is no tool "who_am_i" that you may use.');
});
