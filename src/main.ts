// The only composition root: configuration -> database -> features -> listen -> shut down.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { accessRoutes, applyFile, type Change, createAccess, planFile, rightsOf } from './access/index.ts';
import { type ApplyOptions, configRoutes, createAdminApp, statusMount } from './admin/index.ts';
import { auditRoutes, createRecorder } from './audit/index.ts';
import { type Config, type ConfigFile, loadConfig, readConfigFile, watchConfigFile } from './config.ts';
import { createGateway, createLimiter, gatewayRoutes } from './gateway/index.ts';
import { createIdentity, createToken, identityRoutes } from './identity/index.ts';
import { systemClock } from './platform/clock.ts';
import { type Database, migrate, openDatabase, watchChanges } from './platform/db/index.ts';
import { AppError, messageOf } from './platform/errors.ts';
import { createHttpServer, type Mount, sendJson } from './platform/http/server.ts';
import { createOriginGuard } from './platform/http/origin-guard.ts';
import { keptSecret, randomSecret } from './platform/kept-secret.ts';
import { listen, stopListening } from './platform/http/listen.ts';
import { createLog, type Log } from './platform/log.ts';
import { Closing } from './platform/closing.ts';
import { createNetGuard, type NetGuard } from './platform/net-guard.ts';
import { onParentGone } from './platform/parent-pipe.ts';
import { createVault, deriveKey, loadMasterKey, secretRoutes } from './secrets/index.ts';
import { banner, createSteps } from './platform/start-lines.ts';

const projectDir = fileURLToPath(new URL('..', import.meta.url));
const migrations = path.join(projectDir, 'migrations');
const version = '0.1.0';
const pageSize = 1_000;
const listDeadlineMs = 3_000;
const maxBodyBytes = 4 * 1024 * 1024;
const shutdownMs = 10_000;

const roles: Readonly<Record<string, () => Promise<void>>> = { serve, migrate: migrateOnly };

const name = process.argv[2] ?? 'serve';
const role = roles[name];
if (!role) {
  process.stderr.write(`There is no role "${name}"; the roles are ${Object.keys(roles).join(', ')}.\n`);
  process.exit(2);
}
try {
  await role();
} catch (error) {
  // A mistake that a person can mend is a sentence; anything else is a fault of ours and shows where it happened.
  const text = error instanceof AppError ? error.message : error instanceof Error ? error.stack : messageOf(error);
  process.stderr.write(`\n${text}\n`);
  process.exit(1);
}

async function migrateOnly(): Promise<void> {
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'warn');
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.TOOLGATE_DATA_DIR, log });
  const { applied } = await migrate(database, migrations).finally(() => database.close());
  process.stdout.write(applied.length === 0 ? 'The database is up to date.\n' : `Applied ${applied.join(', ')}.\n`);
}

async function serve(): Promise<void> {
  const steps = createSteps(3, 4);
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'info');
  const stack = new Closing(log);
  try {
    const database = await steps.work(config.DATABASE_URL ? 'PostgreSQL' : 'Embedded database', async () => {
      const opened = await openDatabase({ url: config.DATABASE_URL, dataDir: config.TOOLGATE_DATA_DIR, log });
      stack.add('database', () => opened.close());
      await migrate(opened, migrations);
      return opened;
    });
    const text = await steps.work('Toolgate', () => start(config, database, log, stack));
    for (const warning of config.warnings) process.stderr.write(`Note: ${warning}\n`);
    process.stdout.write(text);
  } catch (error) {
    await stack.close();
    throw error;
  }
  closeOnSignals(stack);
}

/** Builds every feature on the database, listens, and returns what to tell whoever started it. */
async function start(config: Config, database: Database, log: Log, stack: Closing): Promise<string> {
  const clock = systemClock;
  const { db } = database;
  const dataDir = config.TOOLGATE_DATA_DIR;
  const masterKey = await loadMasterKey({ value: config.TOOLGATE_MASTER_KEY, dataDir, log });
  const adminToken = config.TOOLGATE_ADMIN_TOKEN ?? (await keptSecret(dataDir, 'admin-token', randomSecret));
  await applyFile(db, config.file, { prune: false, actor: 'config-file' });
  const changes = await watchChanges(database, { log, clock });
  stack.add('changes', () => changes.close());
  const access = await createAccess({ db, changes, log, clock });
  stack.add('access', () => access.live.close());
  const vault = await createVault({ db, changes, masterKey, log, clock });
  stack.add('vault', () => vault.close());
  const recorder = await createRecorder({ db, spillDir: path.join(dataDir, 'spill'), log, clock });
  stack.add('recorder', () => recorder.close());
  let file = config.file;
  const identity = await createIdentity({
    db, changes, directory: () => access.snapshot(), issuers: () => file.identity.issuers, log, clock,
    settings: { publicUrl: config.PUBLIC_URL, adminToken, openWebUiJwtSecret: config.FORWARD_USER_INFO_HEADER_JWT_SECRET },
  });
  stack.add('identity', () => identity.close());
  let guard = createNetGuard({ allow: file.network.allow });
  // The config file may change what is allowed while connections are being made.
  const netGuard: NetGuard = {
    checkUrl: (url) => guard.checkUrl(url),
    allows: (address) => guard.allows(address),
    lookup: (...query) => guard.lookup(...query),
  };
  const rateLimit = config.RATE_LIMIT_ENABLED ? { perMinute: config.RATE_LIMIT_PER_MINUTE, perIp: config.RATE_LIMIT_PER_IP } : null;
  const gateway = createGateway({
    access, identity, vault, recorder, netGuard, projectDir, log, clock, env: config.variables,
    settings: { pageSize, listDeadlineMs, maxBodyBytes, recordCalls: config.ENABLE_API_ANALYTICS, rateLimit },
    sessionKey: deriveKey(masterKey, 'mcp-session-id'),
  });
  stack.add('gateway', () => gateway.close());

  const use = async (next: ConfigFile, prune: boolean): Promise<Change[]> => {
    const applied = await applyFile(db, next, { prune, actor: 'config-file' });
    file = next;
    guard = createNetGuard({ allow: next.network.allow });
    await access.live.refresh();
    return applied;
  };
  const apply = async ({ dryRun, prune }: ApplyOptions) => {
    const next = await readConfigFile(config.TOOLGATE_CONFIG, config.variables);
    return dryRun ? planFile(db, next, { prune }) : use(next, prune);
  };
  const watch = watchConfigFile(config.TOOLGATE_CONFIG, config.variables, {
    loaded: config.fileFingerprint,
    onChange: async (next) => {
      const applied = await use(next, false);
      log.info({ changes: applied.length }, 'config file applied');
    },
    onInvalid: (error) => log.error({ mistakes: error.message.split('\n') }, 'config file is wrong; the last good one stays in force'),
    log,
  });
  stack.add('config file', () => watch.close());

  const refreshAccess = () => access.live.refresh();
  const routes = [
    ...accessRoutes({ db, clock, snapshot: () => access.snapshot(), changed: refreshAccess, checkUrl: (url) => netGuard.checkUrl(url) }),
    ...gatewayRoutes(gateway.gate),
    ...secretRoutes({ db, masterKey, changed: () => vault.refresh() }),
    ...identityRoutes({ db, clock, changed: () => identity.refreshTokens() }),
    ...auditRoutes({ db }),
    ...configRoutes({ apply }),
  ];
  const admin = createAdminApp({
    routes, log, version, publicUrl: config.PUBLIC_URL,
    authenticate: async (request) => {
      const header = (key: string) => request.headers.get(key) ?? undefined;
      const principal = await identity.authenticateAdmin({ header, clientIp: '', path: '/mcp' });
      const isAdmin = principal.authSource === 'admin-token' || rightsOf(access.snapshot(), principal, clock()).admin;
      return { principal, isAdmin };
    },
  });
  const adminMount: Mount = {
    takes: (at) => at.startsWith('/mcp-admin/api/'),
    serve: (req, res, { requestId, clientIp }) => getRequestListener((request) => admin.fetch(request, { requestId, clientIp }))(req, res),
  };
  const status = statusMount({
    version, clock, startedAt: clock(), leaving: () => stack.isClosing,
    degraded: async () => {
      const databaseDown = await database.ping(1_000).then(() => null, () => recorder.state().degradedSince ?? changes.failingSince() ?? new Date());
      const records = recorder.state();
      return [
        ...(databaseDown ? [{ part: 'database', since: databaseDown, meaning: 'Calls go on with the rights and keys of the last minute; changes by admins have to wait.' }] : []),
        ...(records.degradedSince ? [{ part: 'records', since: records.degradedSince, meaning: `Records wait in memory and on disk (${records.queued + records.spilled}) until the database is back.` }] : []),
        ...gateway.unreachable().map(({ server, since, message }) => ({ part: `server ${server}`, since, meaning: message })),
      ];
    },
  });
  const metadata: Mount = {
    takes: (at) => at.startsWith('/.well-known/oauth-protected-resource'),
    serve: (_req, res, arrival) => {
      const resource = arrival.path.slice('/.well-known/oauth-protected-resource'.length) || '/mcp';
      sendJson(res, 200, identity.protectedResourceMetadata(resource), { 'access-control-allow-origin': '*', 'cache-control': 'max-age=300' });
    },
  };
  const limiter = createLimiter(clock);
  const server = createHttpServer({
    mounts: [gateway, adminMount, status, metadata],
    guard: createOriginGuard({ bindHost: config.HOST, publicUrl: config.PUBLIC_URL, allowed: config.CORS_ALLOWED_ORIGINS }),
    limit: (ip) => (rateLimit ? limiter.hit(ip, rateLimit.perIp) : 0),
    log,
  });
  const port = await listen(server, config.HOST, config.PORT);
  stack.add('listener', () => stopListening(server, () => gateway.endStreams()));
  const people = Object.entries(config.file.users).flatMap(([email, user]) => (user.localToken ? [email] : []));
  const tokens = await localTokens(people, config.HOST, dataDir, async (user) => {
    const made = await createToken(db, { user, service: null, name: 'local', tenant: null, expiresAt: null, mayForwardUsers: null }, { id: 'system' });
    return made.token;
  });
  await identity.refreshTokens();
  const url = config.PORT === 0 ? `http://localhost:${port}` : config.PUBLIC_URL;
  return banner({ url, dataDir: path.relative(process.cwd(), dataDir) || '.', ownsAdminToken: config.TOOLGATE_ADMIN_TOKEN === undefined, tokens });
}

/** Tokens to try things out with on this machine; they stay the same from start to start. */
async function localTokens(people: readonly string[], host: string, dataDir: string, make: (user: string) => Promise<string>): Promise<[string, string][]> {
  if (host !== '127.0.0.1' && host !== '::1' && host !== 'localhost') return [];
  const tokens: [string, string][] = [];
  for (const person of people) tokens.push([person, await keptSecret(path.join(dataDir, 'local-tokens'), person, () => make(person))]);
  return tokens;
}

function closeOnSignals(stack: Closing): void {
  let asked = false;
  const stop = (signal: string, again: boolean) => {
    if (asked && again) process.exit(130);
    if (asked) return;
    asked = true;
    process.stderr.write(`\n${signal}: shutting down …\n`);
    // Whatever hangs does not keep the process: what must be kept has been written by then.
    setTimeout(() => process.exit(1), shutdownMs).unref();
    stack.close().then(() => process.exit(0), () => process.exit(1));
  };
  process.on('SIGINT', () => stop('Interrupted', true));
  process.on('SIGTERM', () => stop('Asked to stop', false));
  process.on('SIGHUP', () => stop('Terminal closed', false));
  onParentGone(process.env, () => stop('Whoever started this is gone', false));
}
