// Every feature of a process that serves, each built from those before it.
import path from 'node:path';
import { applyFile, type Change, createAccess } from '../access/index.ts';
import { createRecorder, watchRefusedSignIns } from '../audit/index.ts';
import { allowsFrom, createOriginSeals, createToolPins } from '../catalog/index.ts';
import type { Config, ConfigFile } from '../config.ts';
import { createGateway } from '../gateway/index.ts';
import { createIdentity, createIdentitySigner } from '../identity/index.ts';
import { openBus } from '../platform/bus/open-bus.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Closing } from '../platform/closing.ts';
import { type Database, watchChanges } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import { createReloadableGuard } from '../platform/net-guard.ts';
import { createSealer } from '../platform/sealer.ts';
import type { WorkerSide } from '../platform/workers/worker.ts';
import { createVault, type KeyRing, openMasterKeys, openRotation } from '../secrets/index.ts';
import { bodyBytesOf, openSharedCounts, rateLimitsOf } from './limits.ts';
import { openAccounts } from './open-accounts.ts';
import { audienceOf, surroundingsOf } from './neighbours.ts';
import { openCatalog } from './open-catalog.ts';
import { openObserved } from './open-observed.ts';
import { projectDir } from './program.ts';
import { noteApplied, openRecords } from './records.ts';
import { filesInForce, stdioSettings } from './stdio.ts';

/** Every feature of a running process. */
export type Parts = Awaited<ReturnType<typeof build>>;

export interface Ground {
  readonly config: Config;
  readonly log: Log;
  readonly database: Database;
  readonly keyRing: KeyRing;
  readonly closing: Closing;
  /** Where this process keeps what no other one may touch. */
  readonly ownDir: string;
  /** Undefined for a process that serves alone. */
  readonly worker: WorkerSide | undefined;
}

export async function build(ground: Ground, adminToken: string) {
  const { config, database, closing } = ground;
  const base = { db: database.db, log: ground.log, clock };
  let file = config.file;
  const written = filesInForce(file);
  await noteApplied(base.db, await applyFile(base.db, file, { prune: false, actor: 'config-file' }), false);
  const parts = await openFeatures(ground, base, {
    adminToken,
    file: () => file,
    written: written.current,
  });
  const { access, masterKeys, accounts, netGuard } = parts;
  const sealerFor = (purpose: string) => createSealer(masterKeys.stateKey, purpose);
  const redisUrl = config.REDIS_URL;
  const bus = await openBus({ redisUrl, database, sealer: sealerFor('bus'), log: ground.log });
  closing.keep('messages between processes', bus);
  const rotation = closing.keep(
    'key rotation',
    openRotation({ ...base, keys: masterKeys.keys, bus, unsavedUnder: accounts.unsavedUnder }),
  );
  const records = openRecords({ ...ground, guard: netGuard, secret: masterKeys.stateKey, file: () => file });
  const seals = createOriginSeals(sealerFor('origins of servers'));
  const catalogAllows = allowsFrom(parts.entries, seals);
  const stdio = stdioSettings({ ...ground, written: written.current, catalogAllows });
  const observe = await openObserved(ground, () => file);
  const key = masterKeys.stateKey;
  const sharedCounts = await openSharedCounts({ ...ground, redisUrl, key, clock });
  const { PUBLIC_URL: issuer, OPEN_WEBUI_URL: behind = issuer } = config;
  const signer = await createIdentitySigner({ secret: key, issuer, audience: audienceOf(behind), clock });
  const gateway = createGateway({
    ...parts,
    observe,
    sign: (facts, audience) => signer.signatureFor(facts, audience),
    clock,
    projectDir,
    around: { env: config.variables, directory: path.dirname(config.TOOLGATE_CONFIG) },
    publicUrl: config.PUBLIC_URL,
    sealerFor,
    bus,
    sharedCounts,
    settings: gateSettings(config, () => file),
    stdio,
  });
  // Right after whatever records, before parts that wait for a database that may say nothing any more.
  closing.keep('recorder', parts.recorder, 6_000);
  closing.keep('gateway', gateway, 3_000);
  /** Makes another content of the config file the one in force. */
  const use = (next: ConfigFile, prune: boolean): Promise<Change[]> =>
    written.during(next, async () => {
      const applied = await applyFile(base.db, next, { prune, actor: 'config-file' });
      await noteApplied(base.db, applied, prune);
      file = next;
      netGuard.allowOnly(next.network.allow);
      await records.reload();
      await access.live.refresh();
      return applied;
    });
  /** Since when the content of the config file is wrong; whoever reads it says so. */
  const fileTrouble: { since: Date | null } = { since: null };
  const sharedLimits = sharedCounts ?? undefined;
  const watched = { signer, records, bus, rotation, stdio, gateway, observe, fileTrouble, sharedLimits };
  return { ...parts, ...watched, sealerFor, seals, use };
}

/** What the gateway stands on. */
async function openFeatures(
  ground: Ground,
  base: Base,
  o: {
    readonly adminToken: string;
    /** The content of the config file that is in force. */
    readonly file: () => ConfigFile;
    readonly written: () => readonly ConfigFile[];
  },
) {
  const { config, database, closing } = ground;
  const { adminToken, file, written } = o;
  const found = await openFoundation(ground, base, written);
  const { changes, access, box, vault } = found;
  const directory = () => access.snapshot();
  const issuers = () => file().identity.issuers;
  const openWebUi = () => file().identity.openWebUi;
  const settings = { ...identitySettings(config, adminToken), ...(await surroundingsOf(ground)) };
  const identity = await createIdentity({ ...base, changes, directory, issuers, openWebUi, settings });
  closing.keep('identity', identity);
  const toolPins = closing.keep('tool pins', await createToolPins({ ...base, changes }));
  const catalog = openCatalog(ground, file);
  const netGuard = createReloadableGuard(file().network.allow);
  const own = { database, changes, box, vault, guard: netGuard };
  const places = { dataDir: ground.ownDir, publicUrl: config.PUBLIC_URL };
  const { accounts, exchanges } = await openAccounts({ ...base, ...own, ...places, closing });
  return {
    ...ground,
    ...found,
    ...{ identity, toolPins, netGuard, ...catalog, accounts, exchanges, file },
  };
}

interface Base {
  readonly db: Database['db'];
  readonly log: Log;
  readonly clock: typeof clock;
}

/** What everything else stands on: what is in the database, followed; keys; records. */
async function openFoundation(
  { config, database, keyRing: ring, closing, ownDir }: Ground,
  base: Base,
  written: () => readonly ConfigFile[],
) {
  const changes = closing.keep('changes', await watchChanges(database, base));
  const access = await createAccess({ ...base, changes, written });
  closing.keep('access', access.live);
  const masterKeys = closing.keep('master keys', await openMasterKeys({ ...base, changes, ring }));
  const { box } = masterKeys;
  const vault = closing.keep('vault', await createVault({ ...base, changes, box }));
  const refusedSignIns = closing.keep('refused sign-ins', watchRefusedSignIns(base));
  const recorder = await createRecorder({
    ...base,
    spillDir: path.join(ownDir, 'spill'),
    keeps: config.ENABLE_API_ANALYTICS,
    seen: refusedSignIns.see,
  });
  return { changes, access, masterKeys, box, vault, recorder, refusedSignIns };
}

function identitySettings(config: Config, adminToken: string) {
  const openWebUiJwtSecret = config.FORWARD_USER_INFO_HEADER_JWT_SECRET;
  const openWebUiUrl = config.OPEN_WEBUI_URL;
  return { publicUrl: config.PUBLIC_URL, adminToken, openWebUiJwtSecret, openWebUiUrl };
}

function gateSettings(config: Config, file: () => ConfigFile) {
  return {
    pageSize: 1_000,
    listDeadlineMs: 3_000,
    maxBodyBytes: bodyBytesOf(file),
    metaTools: () => {
      const { above = null, exceptClients } = file().metaTools;
      return { always: config.META_TOOLS_MODE, above, exceptClients };
    },
    rateLimits: rateLimitsOf(config, file),
    limits: () => {
      const { connections, processes, idleSeconds } = file().limits;
      return { connections, processes, idleMs: idleSeconds * 1_000 };
    },
  };
}
