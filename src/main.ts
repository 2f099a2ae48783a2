// The only composition root: configuration -> database -> features -> listen -> shut down.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { accessRoutes, applyFile, type Change, createAccess, planFile, rightsOf } from './access/index.ts';
import {
  type AdminApp,
  type ApplyOptions,
  adminMount,
  configRoutes,
  createAdminApp,
  degradedParts,
  statusMount,
} from './admin/index.ts';
import { auditRoutes, createRecorder } from './audit/index.ts';
import { catalogRoutes, createToolPins } from './catalog/index.ts';
import { type Config, type ConfigFile, loadConfig, readConfigFile, watchConfigFile } from './config.ts';
import { createAddressLimit, createGateway, gatewayRoutes, resourceMetadataMount } from './gateway/index.ts';
import { createIdentity, identityRoutes, localTokens } from './identity/index.ts';
import { openBus } from './platform/bus/open-bus.ts';
import { systemClock } from './platform/clock.ts';
import { Closing, closeOnSignals } from './platform/closing.ts';
import {
  type Database,
  migrate,
  openDatabase,
  pendingMigrations,
  watchChanges,
} from './platform/db/index.ts';
import { checkPort, listen, stopListening } from './platform/http/listen.ts';
import { createOriginGuard } from './platform/http/origin-guard.ts';
import { createHttpServer } from './platform/http/server.ts';
import { keptSecret, randomSecret } from './platform/kept-secret.ts';
import { createLog, type Log } from './platform/log.ts';
import { createReloadableGuard } from './platform/net-guard.ts';
import { runRole } from './platform/run-role.ts';
import { createSealer } from './platform/sealer.ts';
import { banner, createSteps } from './platform/start-lines.ts';
import { createVault, deriveKey, loadMasterKey, type MasterKey, secretRoutes } from './secrets/index.ts';

const projectDir = fileURLToPath(new URL('..', import.meta.url));
const migrations = path.join(projectDir, 'migrations');
const version = '0.1.0';
const clock = systemClock;

/** Every feature of a running process. */
type Parts = Awaited<ReturnType<typeof build>>;

const roles: Readonly<Record<string, () => Promise<void>>> = { serve, migrate: migrateOnly };

await runRole(roles, process.argv[2] ?? 'serve');

async function migrateOnly(): Promise<void> {
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'warn');
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.TOOLGATE_DATA_DIR, log });
  try {
    process.stdout.write(await migrateOrTell(database, process.argv.includes('--dry-run')));
  } finally {
    await database.close();
  }
}

async function migrateOrTell(database: Database, isDryRun: boolean): Promise<string> {
  const names = isDryRun
    ? await pendingMigrations(database, migrations)
    : (await migrate(database, migrations)).applied;
  if (names.length === 0) return 'The database is up to date.\n';
  return `${isDryRun ? 'Would apply' : 'Applied'} ${names.join(', ')}.\n`;
}

async function serve(): Promise<void> {
  // V8 takes what lives long while this starts as a sign, and then puts parts of every request straight among the
  // old objects. They keep the whole request alive, so that collections take ten times as long (docs/benchmark.md).
  setFlagsFromString('--no-allocation-site-pretenuring');
  const steps = createSteps(3, 4);
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'info');
  const closing = new Closing(log);
  await checkPort(config.HOST, config.PORT);
  try {
    const database = await steps.work(config.DATABASE_URL ? 'PostgreSQL' : 'Embedded database', () =>
      openAndMigrate(config, log, closing),
    );
    const masterKey = await loadMasterKey({
      value: config.TOOLGATE_MASTER_KEY,
      dataDir: config.TOOLGATE_DATA_DIR,
      log,
    });
    const text = await steps.work('Toolgate', () => start({ config, log, database, masterKey, closing }));
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
  await migrate(database, migrations);
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

interface Ground {
  readonly config: Config;
  readonly log: Log;
  readonly database: Database;
  readonly masterKey: MasterKey;
  readonly closing: Closing;
}

async function build(ground: Ground, adminToken: string) {
  const { config, database, masterKey, closing } = ground;
  const base = { db: database.db, log: ground.log, clock };
  const dataDir = config.TOOLGATE_DATA_DIR;
  let file = config.file;
  await applyFile(base.db, file, { prune: false, actor: 'config-file' });
  const changes = closing.keep('changes', await watchChanges(database, base));
  const access = await createAccess({ ...base, changes });
  closing.keep('access', access.live);
  const vault = closing.keep('vault', await createVault({ ...base, changes, masterKey }));
  const recorder = await createRecorder({ ...base, spillDir: path.join(dataDir, 'spill') });
  closing.keep('recorder', recorder);
  const directory = () => access.snapshot();
  const issuers = () => file.identity.issuers;
  const openWebUi = () => file.identity.openWebUi;
  const settings = identitySettings(config, adminToken);
  const identity = await createIdentity({ ...base, changes, directory, issuers, openWebUi, settings });
  closing.keep('identity', identity);
  const toolPins = closing.keep('tool pins', await createToolPins({ ...base, changes }));
  const netGuard = createReloadableGuard(file.network.allow);
  const parts = { ...ground, changes, access, vault, recorder, identity, toolPins, netGuard };
  const sealingKey = deriveKey(masterKey, 'sealed state');
  const sealerFor = (purpose: string) => createSealer(sealingKey, purpose);
  const redisUrl = config.REDIS_URL;
  const bus = await openBus({ redisUrl, database, sealer: sealerFor('bus'), log: ground.log });
  closing.keep('messages between processes', bus);
  const gateway = createGateway({
    ...parts,
    clock,
    projectDir,
    around: { env: config.variables, directory: path.dirname(config.TOOLGATE_CONFIG) },
    sealerFor,
    bus,
    settings: gateSettings(config, () => file),
  });
  closing.keep('gateway', gateway);
  /** Makes another content of the config file the one in force. */
  const use = async (next: ConfigFile, prune: boolean): Promise<Change[]> => {
    const applied = await applyFile(base.db, next, { prune, actor: 'config-file' });
    file = next;
    netGuard.allowOnly(next.network.allow);
    await access.live.refresh();
    return applied;
  };
  return { ...parts, bus, gateway, use };
}

function identitySettings(config: Config, adminToken: string) {
  const openWebUiJwtSecret = config.FORWARD_USER_INFO_HEADER_JWT_SECRET;
  const openWebUiUrl = config.OPEN_WEBUI_URL;
  return { publicUrl: config.PUBLIC_URL, adminToken, openWebUiJwtSecret, openWebUiUrl };
}

function gateSettings(config: Config, file: () => ConfigFile) {
  const rateLimit = config.RATE_LIMIT_ENABLED ? { perMinute: config.RATE_LIMIT_PER_MINUTE } : null;
  return {
    pageSize: 1_000,
    listDeadlineMs: 3_000,
    maxBodyBytes: 4 * 1024 * 1024,
    recordCalls: config.ENABLE_API_ANALYTICS,
    metaTools: () => {
      const { above = null, exceptClients } = file().metaTools;
      return { always: config.META_TOOLS_MODE, above, exceptClients };
    },
    rateLimit,
  };
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

function adminApp({
  config,
  log,
  database: { db },
  access,
  masterKey,
  vault,
  identity,
  toolPins,
  netGuard,
  gateway,
  use,
}: Parts): AdminApp {
  const apply = async ({ dryRun, prune }: ApplyOptions) => {
    const next = await readConfigFile(config.TOOLGATE_CONFIG, config.variables);
    return dryRun ? planFile(db, next, { prune }) : use(next, prune);
  };
  const routes = [
    ...accessRoutes({
      db,
      clock,
      snapshot: () => access.snapshot(),
      changed: () => access.live.refresh(),
      checkUrl: (url) => netGuard.checkUrl(url),
      withheld: (question) => gateway.withheld(question),
    }),
    ...gatewayRoutes(gateway.gate, { db, publicUrl: config.PUBLIC_URL }),
    ...secretRoutes({ db, masterKey, changed: () => vault.refresh() }),
    ...identityRoutes({ db, clock, changed: () => identity.refreshTokens() }),
    ...auditRoutes({ db }),
    ...catalogRoutes({ db, pins: toolPins }),
    ...configRoutes({ apply }),
  ];
  const authenticate = async (request: Request) => {
    const header = (key: string) => request.headers.get(key) ?? undefined;
    const principal = await identity.authenticateAdmin({ header, clientIp: '', path: '/mcp' });
    const isAdmin =
      principal.authSource === 'admin-token' || rightsOf(access.snapshot(), principal, clock()).admin;
    return { principal, isAdmin };
  };
  return createAdminApp({ routes, authenticate, log, version, publicUrl: config.PUBLIC_URL });
}

function isLoopback(host: string): boolean {
  return ['127.0.0.1', '::1', 'localhost'].includes(host);
}

function peopleWithTokens(config: Config): string[] {
  return Object.entries(config.file.users).flatMap(([person, { localToken }]) =>
    localToken ? [person] : [],
  );
}
