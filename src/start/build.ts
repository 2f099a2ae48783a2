// Every feature of a process that serves, each built from those before it.
import path from 'node:path';
import { applyFile, type Change, createAccess } from '../access/index.ts';
import { createRecorder } from '../audit/index.ts';
import { createToolPins } from '../catalog/index.ts';
import type { Config, ConfigFile } from '../config.ts';
import { createGateway } from '../gateway/index.ts';
import { createIdentity } from '../identity/index.ts';
import { openBus } from '../platform/bus/open-bus.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Closing } from '../platform/closing.ts';
import { type Database, watchChanges } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import { createReloadableGuard } from '../platform/net-guard.ts';
import { createSealer } from '../platform/sealer.ts';
import { createSecretBox, createVault, deriveKey, type MasterKey } from '../secrets/index.ts';
import { projectDir } from './program.ts';

/** Every feature of a running process. */
export type Parts = Awaited<ReturnType<typeof build>>;

export interface Ground {
  readonly config: Config;
  readonly log: Log;
  readonly database: Database;
  readonly masterKey: MasterKey;
  readonly closing: Closing;
}

export async function build(ground: Ground, adminToken: string) {
  const { config, database, masterKey, closing } = ground;
  const base = { db: database.db, log: ground.log, clock };
  const dataDir = config.TOOLGATE_DATA_DIR;
  let file = config.file;
  await applyFile(base.db, file, { prune: false, actor: 'config-file' });
  const changes = closing.keep('changes', await watchChanges(database, base));
  const access = await createAccess({ ...base, changes });
  closing.keep('access', access.live);
  const box = createSecretBox(masterKey);
  const vault = closing.keep('vault', await createVault({ ...base, changes, box }));
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
  const parts = { ...ground, changes, access, box, vault, recorder, identity, toolPins, netGuard };
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
