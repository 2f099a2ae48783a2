import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer as startPostgres } from '../test/postgres.ts';
import type { Job, Measured } from './load.ts';
import { type Cores, type Running, startServer } from './processes.ts';
import { metricsToken } from './scrapes.ts';
import { seed } from './seed.ts';

/** All processes on one database seal under the same key. */
const masterKey = Buffer.alloc(32, 7).toString('base64');

/** Everything that runs, each in its own process. */
export interface Parts {
  readonly database: string;
  readonly upstream: Running;
  readonly agent: Running;
  readonly undici: Running;
  readonly toolgate: Running;
  /** Another Toolgate on the same database, with other settings; undefined where the database takes one process alone. */
  readonly another: (name: string, more: Readonly<Record<string, string>>) => Promise<Running | undefined>;
  readonly collector: Running;
  /** Has the clients do a job. */
  load(job: Job): Promise<Measured>;
  close(): Promise<void>;
}

/** `more`: settings of Toolgate beside the usual ones. */
export async function startParts(cores: Cores, more: Readonly<Record<string, string>> = {}): Promise<Parts> {
  const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-bench-'));
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  const start = async (...args: Parameters<typeof startServer>) => {
    const running = await startServer(...args);
    stops.push(running.stop);
    return running;
  };
  try {
    const database = await startDatabase();
    stops.push(database.stop);
    const upstream = await start('upstream.ts');
    const dataDir = path.join(folder, 'data');
    await seed({ url: database.url, dataDir, upstream: upstream.origin });
    const config = path.join(folder, 'mcp-servers.json');
    // The servers stand in the database, as if an administrator had added them; they are on this machine.
    await writeFile(config, JSON.stringify({ network: { allow: ['127.0.0.0/8'] } }));
    const core = cores.measured;
    const toolgateWith = (dir: string, other: Readonly<Record<string, string>>) =>
      start('../src/main.ts', {
        args: ['serve'],
        core,
        env: { ...environment(database.url, dir, config), ...other },
      });
    const toolgate = await toolgateWith(dataDir, more);
    const another: Parts['another'] = async (name, other) =>
      database.url === undefined ? undefined : toolgateWith(path.join(folder, name), { ...more, ...other });
    const collector = await start('collector.ts');
    const agent = await start('bare-proxy.ts', { args: ['agent', upstream.origin], core });
    const undici = await start('bare-proxy.ts', { args: ['undici', upstream.origin], core });
    const load = startLoad();
    stops.push(async () => load.child.disconnect());
    const servers = { upstream, agent, undici, toolgate, another, collector };
    return { database: database.name, ...servers, load: load.run, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startDatabase(): Promise<{ url: string | undefined; name: string; stop(): Promise<void> }> {
  try {
    const { url, stop } = await startPostgres();
    return { url, name: 'PostgreSQL in processes of its own', stop };
  } catch (error) {
    process.stderr.write(
      `No PostgreSQL here, so the embedded one is used: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return { url: undefined, name: 'embedded PostgreSQL', stop: async () => undefined };
  }
}

/** Everything on. The limits are out of reach, but every request is counted against them. */
function environment(url: string | undefined, dataDir: string, config: string): Record<string, string> {
  return {
    ...(url !== undefined && { DATABASE_URL: url }),
    PORT: '0',
    TOOLGATE_CONFIG: config,
    TOOLGATE_DATA_DIR: dataDir,
    TOOLGATE_MASTER_KEY: masterKey,
    METRICS_TOKEN: metricsToken,
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMIT_PER_MINUTE: '1000000',
    RATE_LIMIT_PER_IP: '10000000',
    ENABLE_API_ANALYTICS: 'true',
  };
}

function startLoad(): { child: ChildProcess; run(job: Job): Promise<Measured> } {
  const child = fork(fileURLToPath(new URL('load.ts', import.meta.url)));
  const run = (job: Job) =>
    new Promise<Measured>((resolve, reject) => {
      child.once('message', (message: { measured: Measured } | { error: string }) => {
        if ('measured' in message) resolve(message.measured);
        else reject(new Error(message.error));
      });
      child.send(job);
    });
  return { child, run };
}
