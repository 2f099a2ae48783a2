import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** A running Toolgate that serves one upstream, and what a client must send to be let in. */
export interface RunningToolgate {
  /** The endpoint that passes the upstream through: `http://127.0.0.1:PORT/mcp/conformance`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const user = 'tester@example.com';

/** Starts the program as an operator would: data directory, config file, environment, a token from the admin API. */
export async function startToolgate(upstreamUrl: string): Promise<RunningToolgate> {
  const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-conformance-'));
  const adminToken = randomBytes(32).toString('hex');
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const config = path.join(folder, 'mcp-servers.json');
  await writeFile(config, JSON.stringify(configFor(upstreamUrl)));
  const gate = spawn(process.execPath, [main, 'serve'], {
    // The fourth channel closes when this process is gone, however it ended, and Toolgate ends with it.
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PORT: String(port),
      TOOLGATE_CONFIG: config,
      TOOLGATE_DATA_DIR: path.join(folder, 'data'),
      TOOLGATE_ADMIN_TOKEN: adminToken,
      TOOLGATE_PARENT_PIPE: '3',
      RATE_LIMIT_ENABLED: 'false',
    },
  });
  // A program that has ended resets its channel; its exit says all there is to say.
  gate.stdio[3]?.on('error', () => undefined);
  const close = async () => {
    await stop(gate);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(gate, `${origin}/gateway/ready`);
    const token = await createToken(origin, adminToken);
    return { url: `${origin}/mcp/conformance`, headers: { Authorization: `Bearer ${token}` }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function configFor(upstreamUrl: string): object {
  return {
    mcpServers: { conformance: { type: 'http', url: upstreamUrl } },
    groups: { Testers: { servers: ['conformance'] } },
    users: { [user]: { groups: ['Testers'] } },
    network: { allow: ['127.0.0.0/8'] },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function untilReady(gate: ChildProcess, url: string): Promise<void> {
  let printed = '';
  for (const stream of [gate.stdout, gate.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-8000);
    });
  }
  const deadline = Date.now() + 120_000;
  while (gate.exitCode === null && gate.signalCode === null && Date.now() < deadline) {
    if (await answers(url)) return;
    await wait(100);
  }
  throw new Error(`Toolgate did not start. It printed:\n${printed}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // Not listening yet; the caller knows when to give up.
  }
}

async function createToken(origin: string, adminToken: string): Promise<string> {
  const response = await fetch(`${origin}/mcp-admin/api/tokens`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${adminToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ user, name: 'conformance' }),
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 201) throw new Error(`No token: ${response.status} ${await response.text()}`);
  return z.object({ token: z.string() }).parse(await response.json()).token;
}

async function stop(gate: ChildProcess): Promise<void> {
  if (gate.exitCode !== null || gate.signalCode !== null) return;
  const exited = once(gate, 'exit');
  gate.kill('SIGTERM');
  const killer = setTimeout(() => gate.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(killer);
}
