// The role `serve`: configuration -> database -> features -> listen -> shut down.
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { adminMount, degradedParts, metricsMount, statusMount } from '../admin/index.ts';
import { type Config, loadConfig, watchConfigFile } from '../config.ts';
import { addressDoor, resourceMetadataMount } from '../gateway/index.ts';
import { localTokens } from '../identity/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import { Closing, closeOnSignals, shareOf } from '../platform/closing.ts';
import { type Database, migrate, openDatabase, openShared } from '../platform/db/index.ts';
import { checkPort, drain, listen } from '../platform/http/listen.ts';
import { createOriginGuard } from '../platform/http/origin-guard.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { keptSecret, randomSecret } from '../platform/kept-secret.ts';
import { createLog, type Log } from '../platform/log.ts';
import {
  closeWithPrimary,
  ignoreSignals,
  openWorkerSide,
  type WorkerSide,
} from '../platform/workers/worker.ts';
import { banner, createSteps } from '../platform/start-lines.ts';
import { loadKeyRing } from '../secrets/index.ts';
import { pagesOf } from './accounts.ts';
import { adminApp } from './admin-app.ts';
import { build, type Ground, type Parts } from './build.ts';
import { observeRequests, tellMetrics } from './observe.ts';
import { openWebUiOf } from './open-webui.ts';
import { migrations, version } from './program.ts';
import { degradedOfWorkers, picturesOf } from './beside.ts';
import { takeOver } from './take-over.ts';
import { ownDirectory, startWorkers, workersWanted } from './workers.ts';
import { recordRequests } from './request-records.ts';

export async function serve(): Promise<void> {
  // V8 takes what lives long while this starts as a sign, and then puts parts of every request straight among the
  // old objects. They keep the whole request alive, so that collections take ten times as long (docs/benchmark.md).
  setFlagsFromString('--no-allocation-site-pretenuring');
  // The environment may hold the master key, and a diagnostic report would write it to a file.
  if (process.report) process.report.excludeEnv = true;
  const worker = await openWorkerSide();
  return worker ? serveAsWorker(worker) : serveAsFirst();
}

/** Whoever is started by an operator: serves alone, or has workers that do. */
async function serveAsFirst(): Promise<void> {
  const steps = createSteps(3, 4);
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'info');
  const closing = new Closing(log);
  const count = workersWanted(config);
  await checkPort(config.HOST, config.PORT);
  let kill: () => void = () => undefined;
  try {
    const database = await steps.work(config.DATABASE_URL ? 'PostgreSQL' : 'Embedded database', () =>
      openAndMigrate(config, log, closing),
    );
    const work = async () => {
      await takeOver(config.TOOLGATE_DATA_DIR, log);
      const ground = await groundOf({ config, log, database, closing, worker: undefined });
      if (count === 1) return start(ground);
      await adminTokenOf(config);
      const { primary, text } = await startWorkers({ count, config, database, log, closing });
      kill = () => primary.kill();
      return text;
    };
    const text = await steps.work(count === 1 ? 'Toolgate' : `Toolgate, ${count} workers`, work);
    for (const warning of config.warnings) process.stderr.write(`Note: ${warning}\n`);
    process.stdout.write(text);
  } catch (error) {
    await closing.close();
    throw error;
  }
  closeOnSignals(closing, config.SHUTDOWN_SECONDS, kill);
}

/** One of several, with a primary that has prepared everything. */
async function serveAsWorker(worker: WorkerSide): Promise<void> {
  ignoreSignals();
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'info').child({ worker: worker.placement.number });
  const closing = new Closing(log);
  const { databaseUrl: shared } = worker.placement;
  const database = await (shared === undefined
    ? openDatabase({ url: config.DATABASE_URL, dataDir: config.TOOLGATE_DATA_DIR, log })
    : openShared(shared, log));
  closing.keep('database', database, 10_000);
  await database.walls.raise();
  const text = await start(await groundOf({ config, log, database, closing, worker }));
  // The primary gives them one second less than it has.
  closeWithPrimary(worker, closing, Math.max(1, config.SHUTDOWN_SECONDS - 1));
  await worker.link.ask('serving', text, 30_000);
}

async function groundOf(o: Omit<Ground, 'keyRing' | 'ownDir'>): Promise<Ground> {
  const { TOOLGATE_MASTER_KEY: value, ...config } = o.config;
  const { TOOLGATE_MASTER_KEY_FILE: file, TOOLGATE_DATA_DIR: dataDir } = config;
  const keyRing = await loadKeyRing({ value, file, dataDir, log: o.log });
  return { ...o, config, keyRing, ownDir: ownDirectory(dataDir, o.worker) };
}

/** Made by whoever is there first, if nobody set one. */
async function adminTokenOf(config: Config): Promise<string> {
  return config.TOOLGATE_ADMIN_TOKEN ?? keptSecret(config.TOOLGATE_DATA_DIR, 'admin-token', randomSecret);
}

async function openAndMigrate(config: Config, log: Log, closing: Closing): Promise<Database> {
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.TOOLGATE_DATA_DIR, log });
  closing.keep('database', database, 10_000);
  await migrate(database, migrations, { log });
  await database.walls.raise();
  return database;
}

/** Builds everything on the database, listens, and returns what to tell whoever started it. */
async function start(ground: Ground): Promise<string> {
  const { config, log, database, closing, worker } = ground;
  const dataDir = config.TOOLGATE_DATA_DIR;
  const parts = await build(ground, await adminTokenOf(config));
  const { gateway, identity } = parts;
  followConfigFile(parts, closing);
  const openWebUi = openWebUiOf(parts);
  const own = () => degradedParts({ ...parts, openWebUi: openWebUi.behind });
  const degraded = worker ? () => degradedOfWorkers(worker, own) : own;
  tellMetrics(parts, own);
  worker?.link.answer('degraded', own);
  worker?.link.answer('metrics', () => parts.observe.metrics.picture());
  const mounts = [
    gateway,
    adminMount(adminApp(parts)),
    statusMount({
      ...{ version, token: config.METRICS_TOKEN, publicUrl: config.PUBLIC_URL, clock, degraded },
      startedAt: clock(),
      leaving: () => closing.isClosing,
    }),
    metricsMount({
      metrics: parts.observe.metrics,
      token: config.METRICS_TOKEN,
      publicUrl: config.PUBLIC_URL,
      ...(worker && { others: (picture) => picturesOf(worker, picture) }),
    }),
    resourceMetadataMount(identity),
    ...pagesOf(parts),
    ...openWebUi.mounts,
  ];
  const server = createHttpServer({
    mounts,
    guard: createOriginGuard({
      bindHost: config.HOST,
      publicUrl: config.PUBLIC_URL,
      allowed: config.CORS_ALLOWED_ORIGINS,
    }),
    ...addressDoor(gateway.gate, identity.speaksForMany),
    trustedProxies: config.TRUSTED_PROXIES,
    mostOpen: () => parts.file().limits.clientConnections,
    isSecure: config.PUBLIC_URL.startsWith('https:'),
    log,
  });
  observeRequests(server, parts);
  recordRequests(server, parts, mounts);
  const port = await listen(server, config.HOST, config.PORT);
  closing.add('listener', (ms) => drain(server, mounts, shareOf(ms)), 'own');
  const url = config.PORT === 0 ? `http://localhost:${port}` : config.PUBLIC_URL;
  const isFirst = worker === undefined || worker.placement.number === 1;
  const tokens =
    isFirst && isLoopback(config.HOST)
      ? await localTokens({
          db: database.db,
          identity,
          people: peopleWithTokens(config),
          dir: path.join(dataDir, 'local-tokens'),
        })
      : [];
  return banner({
    url,
    dataDir: path.relative(process.cwd(), dataDir) || '.',
    ownsAdminToken: config.TOOLGATE_ADMIN_TOKEN === undefined,
    tokens,
  });
}

function followConfigFile({ config, log, use, fileTrouble }: Parts, closing: Closing): void {
  const watch = watchConfigFile(config.TOOLGATE_CONFIG, config.variables, {
    loaded: config.fileFingerprint,
    onChange: async (next) => {
      const applied = await use(next, false);
      fileTrouble.since = null;
      log.info({ changes: applied.length }, 'config file applied');
    },
    onInvalid: (error) => {
      fileTrouble.since ??= new Date(clock());
      log.error(
        { mistakes: error.message.split('\n') },
        'config file is wrong; the last good one stays in force',
      );
    },
    log,
  });
  closing.keep('config file', watch);
}

function isLoopback(host: string): boolean {
  return ['127.0.0.1', '::1', 'localhost'].includes(host);
}

function peopleWithTokens(config: Config): string[] {
  return Object.entries(config.file.users).flatMap(([person, { localToken }]) =>
    localToken ? [person] : [],
  );
}
