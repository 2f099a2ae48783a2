import { randomBytes } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../platform/log.ts';
import { makeDirectory } from '../../platform/make-directory.ts';
import type { Mount } from '../../platform/http/server.ts';
import { startReaper } from '../connectors/reaper.ts';
import { commandsIn, type FileCommands } from './allowed-commands.ts';
import type { InForce } from '../contract.ts';
import { inForce, sharesPackages } from './containment/in-force.ts';
import type { Site } from './containment/launch.ts';
import { markName, Marks } from './containment/marks.ts';
import { surveySystem, type SystemSettings } from './containment/system.ts';
import { Watchdog } from './containment/watchdog.ts';
import { removeLeftovers } from './data-directory.ts';
import type { Ground } from './ground.ts';
import { install } from './packages/install.ts';
import { PackageShelf } from './packages/shelf.ts';
import type { PinnedCommand } from './pinned-commands.ts';
import { Processes } from './processes.ts';
import { runnerMount } from './server.ts';
import { startSweeper } from './sweeper.ts';

export interface RunnerSettings {
  readonly key: string;
  /** The config file, which says what may be started. */
  readonly configFile: string;
  /** The data directory of the gate, or of the runner where that is alone: nobody sees it, servers keep theirs in it. */
  readonly dataDir: string;
  /** Further files and directories that no server may see. */
  readonly hidden: readonly string[];
  /** Directories in which commands are looked for. */
  readonly searched: readonly string[];
  readonly system: SystemSettings;
  readonly maxProcesses: number;
  /** How long what servers keep stays after their last process; 0: for ever. */
  readonly keepDays: number;
  pinnedCommands(): readonly PinnedCommand[];
}

export interface Runner {
  readonly mount: Mount;
  readonly inForce: readonly InForce[];
  close(): Promise<void>;
}

/** One server, or one tenant, never takes all the room. */
const share = { perServer: 0.5, perTenant: 0.5 };

/** The runner without its listener. Resolves when it is known what the system offers. */
export async function createRunner(settings: RunnerSettings, log: Log): Promise<Runner> {
  const system = await surveySystem(settings.system);
  const root = path.join(settings.dataDir, 'runner');
  await makeDirectory(root);
  await removeLeftovers(root, log);
  const realRoot = await realpath(root);
  const name = randomBytes(8).toString('hex');
  const reaper = startReaper(`${markName}=${name}`);
  const watchdog = new Watchdog(log);
  const site: Site = { system, reaper, watchdog, marks: new Marks(), name, log };
  const fileCommands = commandsOf(settings.configFile, log);
  await fileCommands();
  const most = mostProcesses(settings.maxProcesses);
  const hidden = [settings.dataDir, settings.configFile, ...settings.hidden].map((one) => path.resolve(one));
  const ground: Ground = { root: realRoot, hidden, searched: settings.searched };
  const packages = sharesPackages(system) ? await packagesOf(settings, ground, site) : undefined;
  const processes = new Processes({
    ...{ site, most, ground, packages, fileCommands },
    pinnedCommands: settings.pinnedCommands,
  });
  const sweeper = startSweeper({ root: realRoot, keepDays: settings.keepDays, processes, packages, log });
  const held = inForce(system);
  log.info(
    { inForce: held.map(({ feature, state, how }) => `${feature}: ${state} (${how})`) },
    'what holds servers',
  );
  return {
    mount: runnerMount({ key: settings.key, processes, inForce: held, log }),
    inForce: held,
    async close() {
      sweeper.close();
      await Promise.all([processes.close(), packages?.close()]);
      watchdog.close();
      reaper.close();
    },
  };
}

async function packagesOf(settings: RunnerSettings, ground: Ground, site: Site): Promise<PackageShelf> {
  const root = path.join(settings.dataDir, 'packages');
  await makeDirectory(root);
  return new PackageShelf({
    ...{ root: await realpath(root), searched: settings.searched, log: site.log },
    install: (job) => install(job, ground, site),
  });
}

function mostProcesses(inAll: number) {
  return {
    inAll,
    perServer: Math.max(1, Math.floor(inAll * share.perServer)),
    perTenant: Math.max(1, Math.floor(inAll * share.perTenant)),
  };
}

/**
 * What the config file allows, read whenever something is to be started: a change counts at once, in both directions.
 * While it is no JSON, what it allowed before counts; when it is gone, nothing does.
 */
function commandsOf(file: string, log: Log): () => Promise<FileCommands> {
  const directory = path.dirname(file);
  let known: FileCommands = new Map();
  return async () => {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      log.error({ file, err: error }, 'config file cannot be read: no command of it is started');
      return '{}';
    });
    const found = commandsIn(text, directory);
    if (!found) log.error({ file }, 'config file is no JSON; what it allowed before stays allowed');
    known = found ?? known;
    return known;
  };
}
