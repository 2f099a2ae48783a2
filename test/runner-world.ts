// A runner in a process of its own, as a gate starts it, and connectors to servers in it.
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessLimits } from '../src/access/contract.ts';
import type { Sink } from '../src/gateway/connectors/contract.ts';
import { RunnerConnector, type RunnerOptions } from '../src/gateway/connectors/runner.ts';
import { ChildRunner } from '../src/gateway/runner/child-runner.ts';
import type { RunnerHealth } from '../src/gateway/runner/wire.ts';
import { createLog } from '../src/platform/log.ts';

export const mainProgram = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const log = createLog('silent');

/** Entries of `mcpServers`. */
export type Commands = Readonly<
  Record<string, { readonly args: readonly string[]; readonly command?: string } & object>
>;

export interface RunnerWorld {
  readonly runner: ChildRunner;
  /** Holds the config file, `mcp-servers.json`, and the data directory, `data`. */
  readonly folder: string;
  open(server: string, sink: Sink, more?: Opening): RunnerConnector;
  /** Writes another config file. */
  rewrite(commands: Commands): void;
  /** Asks the runner itself. */
  ask<T = unknown>(method: string, path: string, o?: Asking): Promise<{ status: number; body: T }>;
  health(): Promise<RunnerHealth>;
  close(): Promise<void>;
}

export interface Opening extends Partial<Pick<RunnerOptions, 'tenant' | 'scope' | 'maxResponseBytes'>> {
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly limits?: ProcessLimits;
}

interface Asking {
  readonly body?: unknown;
  /** Instead of the right one; null: none. */
  readonly key?: string | null;
  readonly signal?: AbortSignal;
}

/** Its files are in a new folder, which `close` deletes. */
export function runnerWorld(
  commands: Commands,
  env: Readonly<Record<string, string>> = {},
  o: {
    /** Runs as this user and group, where the test is root. */
    readonly user?: number;
    readonly folderName?: string;
  } = {},
): RunnerWorld {
  const { user } = o;
  const folder = mkdtempSync(path.join(tmpdir(), `toolgate-runner-test-${o.folderName ?? ''}`));
  const config = path.join(folder, 'mcp-servers.json');
  const rewrite = (next: Commands) => {
    const servers = Object.entries(next).map(([id, one]) => [id, { command: process.execPath, ...one }]);
    writeFileSync(config, JSON.stringify({ mcpServers: Object.fromEntries(servers) }));
  };
  rewrite(commands);
  if (user !== undefined) chownSync(folder, user, user);
  const { PATH = '', HOME = '' } = process.env;
  const program = [mainProgram, 'runner', '--child'];
  const runner = new ChildRunner({
    program: user === undefined ? program : ['-e', asAnother(user)],
    env: { PATH, HOME, TOOLGATE_CONFIG: config, TOOLGATE_DATA_DIR: path.join(folder, 'data'), ...env },
    socketPath: path.join(folder, 'data', 'runner.sock'),
    log,
    pause: { first: 50, longest: 200 },
  });
  const place = () => runner.place(AbortSignal.timeout(30_000));
  const world: RunnerWorld = {
    runner,
    folder,
    rewrite,
    open: (server, sink, o = {}) =>
      new RunnerConnector(
        {
          type: 'stdio',
          command: o.command ?? process.execPath,
          args: o.args ?? [],
          env: o.env ?? {},
          cwd: folder,
          secrets: o.secrets ?? [],
        },
        {
          ...{ name: server, sink, log, way: runner, limits: o.limits },
          ...{
            tenant: o.tenant ?? null,
            scope: o.scope ?? '',
            maxResponseBytes: o.maxResponseBytes ?? 1_000_000,
          },
        },
      ),
    async ask(method, path, { body, key, signal } = {}) {
      const { Client } = await import('undici');
      const { origin, socketPath, key: right } = await place();
      const client = new Client(origin, { ...(socketPath !== undefined && { socketPath }) });
      const given = key === undefined ? right : key;
      const answer = await client.request({
        method,
        path,
        headers: given === null ? {} : { authorization: `Bearer ${given}` },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ?? null,
      });
      const text = await answer.body.text();
      await client.close();
      return { status: answer.statusCode, body: text === '' ? undefined : JSON.parse(text) };
    },
    health: async () => (await world.ask<RunnerHealth>('GET', '/health')).body,
    async close() {
      await runner.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

/** A program for Node that becomes the runner as somebody else, with everything that it was given. */
function asAnother(user: number): string {
  const ids = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
  const args = JSON.stringify([...ids, process.execPath, mainProgram, 'runner', '--child']);
  return `require('node:child_process').spawn('setpriv', ${args}, { stdio: [0, 1, 2, 3] }).on('exit', (code) => process.exit(code ?? 1))`;
}
