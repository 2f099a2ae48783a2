import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { findBinaries, onServer, unprivilegedUser } from '../postgres.ts';
import { eventually } from './gate.ts';
import { freePort } from './program.ts';

/** A PostgreSQL that a test may stop and start again; its data stays until the test file ends. */
export interface OwnPostgres {
  readonly url: string;
  /** A fast shutdown: connections are ended, as when an operator restarts it. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Ends with its standard input, so that no server outlives the test run. */
const lifecycle = `
"$1/postgres" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c fsync=off </dev/null >/dev/null 2>&1 &
server=$!
cat >/dev/null
kill -s INT $server
wait $server
`;

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const bin = findBinaries();
  const owner = unprivilegedUser();
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-own-postgres-'));
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const common = { ...owner, cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C' } };
  const init = ['-D', path.join(folder, 'data'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'];
  execFileSync(path.join(bin, 'initdb'), init, { ...common, stdio: ['ignore', 'ignore', 'pipe'] });
  let running: ChildProcess | undefined;
  const postgres: OwnPostgres = {
    url,
    async start() {
      running = spawn('/bin/sh', ['-c', lifecycle, 'sh', bin, folder, String(port)], {
        ...common,
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      const answers = () =>
        onServer(url, 'select 1').then(
          () => true,
          () => false,
        );
      await eventually('PostgreSQL answers', answers, 60);
    },
    async stop() {
      if (!running) return;
      const exited = once(running, 'exit');
      running.stdin?.end();
      await exited;
      running = undefined;
    },
  };
  afterAll(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });
  await postgres.start();
  return postgres;
}
