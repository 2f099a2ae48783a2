// Python's MCP clients in front of a real Toolgate: the 1.x SDK, the 2.x SDK in both eras, FastMCP's client and its program.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { configOf, startGate } from '../e2e/gate.ts';
import { startUpstream, toolsNamed } from '../e2e/upstream.ts';
import { fastMcp, type Plan, type Report, sdk1, sdk2 } from './python-scripts.ts';
import { pythonPackage } from './venv.ts';
import { mine, startWorld } from './world.ts';

const bins = {
  sdk1: await pythonPackage('mcp', '1.27.2'),
  sdk2: await pythonPackage('mcp', '2.3.0'),
  fastMcp: await pythonPackage('fastmcp', '4.0.10'),
};
const { gate, tokens } = await startWorld();

const clients = [
  { name: 'mcp 1.27.2', bin: bins.sdk1, script: sdk1, mode: '', protocol: '2025-11-25' },
  { name: 'mcp 2.3.0, auto', bin: bins.sdk2, script: sdk2, mode: 'auto', protocol: '2026-07-28' },
  { name: 'mcp 2.3.0, legacy', bin: bins.sdk2, script: sdk2, mode: 'legacy', protocol: '2025-11-25' },
  { name: 'fastmcp 4.0.10, auto', bin: bins.fastMcp, script: fastMcp, mode: 'auto', protocol: '2026-07-28' },
  {
    name: 'fastmcp 4.0.10, legacy',
    bin: bins.fastMcp,
    script: fastMcp,
    mode: 'legacy',
    protocol: '2025-11-25',
  },
] as const;
type Client = (typeof clients)[number];

async function runs({ bin, script, mode }: Client, plan: Omit<Plan, 'mode'>): Promise<Report> {
  const child = spawn(path.join(bin, 'python'), ['-c', script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
    timeout: 90_000,
  });
  child.stdin.end(JSON.stringify({ ...plan, mode }));
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.exitCode !== 0)
    throw new Error(`It ended with ${child.exitCode ?? child.signalCode}:\n${errors.slice(-3000)}`);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '');
}

describe.each(clients)('$name', (client) => {
  test('lists and calls on /mcp, and is refused what is not granted', async () => {
    const report = await runs(client, {
      ...{ url: `${gate.url}/mcp`, token: tokens.bob },
      calls: [
        ['whoami__who_am_i', {}],
        ['everything__get-sum', { a: 40, b: 2 }],
        ['whoami__forget_me', {}],
      ],
    });
    if (report.protocol !== '') expect(report.protocol).toBe(client.protocol);
    expect([...report.tools].sort()).toEqual([...mine.bob].sort());
    expect(report.results).toEqual([
      { text: 'who_am_i with beta-key', isError: false },
      { text: expect.stringContaining('42'), isError: false },
      { text: 'There is no tool "whoami__forget_me" that you may use.', isError: true },
    ]);
  });

  test('calls on /mcp/{server}: names as they are there, progress, and questions to the person and the model', async () => {
    const report = await runs(client, {
      ...{ url: `${gate.url}/mcp/fixture`, token: tokens.alice },
      calls: [
        ['test_tool_with_progress', {}],
        ['test_elicitation', { message: 'Who are you?' }],
        ['test_sampling', { prompt: 'Say something' }],
        ['test_image_content', {}],
      ],
    });
    expect([...report.tools].sort()).toEqual([
      'test_elicitation',
      'test_sampling',
      'test_tool_with_progress',
    ]);
    expect(report.results).toEqual([
      { text: 'Reported progress.', isError: false },
      {
        text: expect.stringContaining('action=accept, content={"username":"py","email":"py@acme.com"}'),
        isError: false,
      },
      { text: expect.stringContaining('sampled'), isError: false },
      { text: 'There is no tool "test_image_content" that you may use.', isError: true },
    ]);
    expect(report.progress).toEqual([0, 50, 100].map((done) => [done, 100, `${done} of 100`]));
  });
});

describe.each(clients)('$name in front of a server of one era', (client) => {
  test.each(['old', 'new'])(
    'the server "%s" asks in the middle of a call, and gets its answers',
    async (server) => {
      const { results } = await runs(client, {
        ...{ url: `${gate.url}/mcp/${server}`, token: tokens.alice },
        calls: [
          ['test_tool_with_progress', {}],
          ['test_elicitation', { message: 'Who are you?' }],
          ['test_sampling', { prompt: 'Say something' }],
        ],
      });
      expect(results).toEqual([
        { text: 'Reported progress.', isError: false },
        { text: expect.stringContaining('action=accept, content={"username":"py"'), isError: false },
        { text: expect.stringContaining('sampled'), isError: false },
      ]);
    },
  );
});

describe('limits', async () => {
  const upstream = await startUpstream({ tools: {} }, toolsNamed(['hello']));
  const limited = await startGate({
    embedded: true,
    env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '20' },
    config: configOf(
      { one: { type: 'http', url: upstream.url } },
      { users: { 'alice@acme.com': {}, ...people(clients.length) } },
    ),
  });

  test.each(clients.map((client, at) => [client.name, client, at] as const))(
    '%s is told to wait, and does not hang',
    async (_name, client, at) => {
      const { results } = await runs(client, {
        url: `${limited.url}/mcp/one`,
        token: await limited.tokenFor(`p${at}@acme.com`),
        calls: Array.from({ length: 25 }, () => ['hello', {}] as const),
      });
      expect(results[0]).toEqual({ text: 'I am hello', isError: false });
      expect(results.at(-1)).toEqual({
        text: expect.stringMatching(/^Too many requests: try again in \d+ s\.$/),
        isError: true,
      });
    },
  );
});

/** One for each client: the limit is a person's. */
function people(count: number): object {
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`p${at}@acme.com`, { groups: ['Everyone'] }]),
  );
}

describe("FastMCP's own program", () => {
  const fastmcp = async (...args: string[]) =>
    (await promisify(execFile)(path.join(bins.fastMcp, 'fastmcp'), args, { timeout: 60_000 })).stdout;
  const auth = ['--auth', tokens.bob, '--json'];

  test('lists', async () => {
    const names = JSON.parse(await fastmcp('list', `${gate.url}/mcp`, ...auth));
    expect(JSON.stringify(names)).toContain('whoami__who_am_i');
    expect(JSON.stringify(names)).not.toContain('forget_me');
  });

  test('calls', async () => {
    expect(await fastmcp('call', `${gate.url}/mcp`, 'whoami__who_am_i', ...auth)).toContain(
      'who_am_i with beta-key',
    );
  });
});
