// The role `serve`: configuration -> database -> features -> listen -> shut down.
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { adminMount, degradedParts, statusMount } from '../admin/index.ts';
import { type Config, loadConfig, watchConfigFile } from '../config.ts';
import { createAddressLimit, resourceMetadataMount } from '../gateway/index.ts';
import { localTokens } from '../identity/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import { Closing, closeOnSignals } from '../platform/closing.ts';
import { type Database, migrate, openDatabase } from '../platform/db/index.ts';
import { checkPort, listen, stopListening } from '../platform/http/listen.ts';
import { createOriginGuard } from '../platform/http/origin-guard.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { keptSecret, randomSecret } from '../platform/kept-secret.ts';
import { createLog, type Log } from '../platform/log.ts';
import { banner, createSteps } from '../platform/start-lines.ts';
import { loadKeyRing } from '../secrets/index.ts';
import { pagesOf } from './accounts.ts';
import { adminApp } from './admin-app.ts';
import { build, type Ground, type Parts } from './build.ts';
import { migrations, version } from './program.ts';

export async function serve(): Promise<void> {
  // V8 takes what lives long while this starts as a sign, and then puts parts of every request straight among the
  // old objects. They keep the whole request alive, so that collections take ten times as long (docs/benchmark.md).
  setFlagsFromString('--no-allocation-site-pretenuring');
  // The environment may hold the master key, and a diagnostic report would write it to a file.
  if (process.report) process.report.excludeEnv = true;
  const steps = createSteps(3, 4);
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'info');
  const closing = new Closing(log);
  await checkPort(config.HOST, config.PORT);
  try {
    const database = await steps.work(config.DATABASE_URL ? 'PostgreSQL' : 'Embedded database', () =>
      openAndMigrate(config, log, closing),
    );
    const { TOOLGATE_MASTER_KEY: value, ...settings } = config;
    const keyRing = await loadKeyRing({
      ...{ value, file: config.TOOLGATE_MASTER_KEY_FILE, dataDir: config.TOOLGATE_DATA_DIR, log },
    });
    const ground = { config: settings, log, database, keyRing, closing };
    const text = await steps.work('Toolgate', () => start(ground));
    for (const warning of config.warnings) process.stderr.write(`Note: ${warning}\n`);
    process.stdout.write(text);
  } catch (error) {
    await closing.close();
    throw error;
  }
  closeOnSignals(closing);
}

async function openAndMigrate(config: Config, log: Log, closing: Closing): Promise<Database> {
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.TOOLGATE_DATA_DIR, log });
  closing.add('database', () => database.close());
  await migrate(database, migrations, { log });
  await database.walls.raise();
  return database;
}

/** Builds everything on the database, listens, and returns what to tell whoever started it. */
async function start(ground: Ground): Promise<string> {
  const { config, log, database, closing } = ground;
  const dataDir = config.TOOLGATE_DATA_DIR;
  const adminToken = config.TOOLGATE_ADMIN_TOKEN ?? (await keptSecret(dataDir, 'admin-token', randomSecret));
  const parts = await build(ground, adminToken);
  const { gateway, identity } = parts;
  followConfigFile(parts, closing);
  const perAddress = config.RATE_LIMIT_ENABLED ? config.RATE_LIMIT_PER_IP : null;
  const server = createHttpServer({
    mounts: [
      gateway,
      adminMount(adminApp(parts)),
      statusMount({
        version,
        clock,
        startedAt: clock(),
        leaving: () => closing.isClosing,
        degraded: () => degradedParts(parts),
      }),
      resourceMetadataMount(identity),
      ...pagesOf(parts),
    ],
    guard: createOriginGuard({
      bindHost: config.HOST,
      publicUrl: config.PUBLIC_URL,
      allowed: config.CORS_ALLOWED_ORIGINS,
    }),
    limit: createAddressLimit(perAddress, identity.speaksForMany, clock),
    log,
  });
  const port = await listen(server, config.HOST, config.PORT);
  closing.add('listener', () => stopListening(server, () => gateway.endStreams()));
  const url = config.PORT === 0 ? `http://localhost:${port}` : config.PUBLIC_URL;
  const tokens = isLoopback(config.HOST)
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

function followConfigFile({ config, log, use }: Parts, closing: Closing): void {
  const watch = watchConfigFile(config.TOOLGATE_CONFIG, config.variables, {
    loaded: config.fileFingerprint,
    onChange: async (next) => {
      const applied = await use(next, false);
      log.info({ changes: applied.length }, 'config file applied');
    },
    onInvalid: (error) =>
      log.error(
        { mistakes: error.message.split('\n') },
        'config file is wrong; the last good one stays in force',
      ),
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
