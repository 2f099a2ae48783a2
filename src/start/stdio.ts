// Where stdio servers live: in a runner of their own, in one that is a child of this process, or beside the gate.
import path from 'node:path';
import type { SnapshotServer } from '../access/index.ts';
import type { Config, ConfigFile } from '../config.ts';
import { RemoteRunner, type StdioSettings } from '../gateway/index.ts';
import { ChildRunner, isSameCommand, passedOnNames, primaryRunner } from '../gateway/runner/index.ts';
import type { Closing } from '../platform/closing.ts';
import { AppError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { WorkerSide } from '../platform/workers/worker.ts';
import { projectDir } from './program.ts';

/** What a runner that is a child gets of this process's environment: nothing that the gate keeps to itself. */
const passedOn = [
  ...passedOnNames,
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'DEBUG', 'TOOLGATE_RUNNER_USER'],
  ...[
    'TOOLGATE_RUNNER_WALLS',
    'TOOLGATE_RUNNER_CGROUPS',
    'TOOLGATE_RUNNER_PROCESSES',
    'TOOLGATE_RUNNER_KEEP_DAYS',
    'TOOLGATE_MASTER_KEY_FILE',
  ],
];

/** Longer than a runner takes to start, in milliseconds. */
const runnerPatience = 35_000;

export interface StdioDeps {
  readonly config: Config;
  readonly log: Log;
  readonly closing: Closing;
  readonly worker: WorkerSide | undefined;
  /** The contents of the config file that count: the one in force, and one that is about to be. */
  written(): readonly ConfigFile[];
  /** Would the catalog make this command out of what the server came from? */
  catalogAllows(server: SnapshotServer, filledIn: FilledIn): boolean;
}

type FilledIn = Parameters<StdioSettings['mayRun']>[1];

export function stdioSettings(deps: StdioDeps): StdioSettings {
  const { config, log, closing, written, catalogAllows, worker } = deps;
  const runner = worker ? runnerOfPrimary(config, log, worker) : runnerOf(config, log);
  if (runner instanceof ChildRunner || runner instanceof RemoteRunner) closing.keep('runner', runner, 9_000);
  return {
    runner,
    ownDirectories: path.join(config.TOOLGATE_DATA_DIR, 'runner'),
    mayRun: (server, filledIn) => {
      const { definition, id } = server;
      if (definition.type !== 'stdio') return false;
      const isWritten = written().some(({ mcpServers }) => isWrittenIn(mcpServers, id, definition));
      return isWritten || catalogAllows(server, filledIn);
    },
  };
}

function isWrittenIn(
  servers: ConfigFile['mcpServers'],
  id: SnapshotServer['id'],
  definition: Parameters<typeof isSameCommand>[0],
): boolean {
  const entry = Object.hasOwn(servers, id) ? servers[id] : undefined;
  return entry?.type === 'stdio' && isSameCommand(definition, entry);
}

/** Workers share the runner that their primary starts. */
function runnerOfPrimary(config: Config, log: Log, { link }: WorkerSide): StdioSettings['runner'] {
  const own = runnerOf(config, log);
  return own instanceof ChildRunner ? primaryRunner(() => link.ask('runner', null, runnerPatience)) : own;
}

export function runnerOf(config: Config, log: Log): ChildRunner | RemoteRunner | undefined {
  const { TOOLGATE_RUNNER_URL: url, TOOLGATE_RUNNER_KEY: key } = config;
  if (config.TOOLGATE_RUNNER === 'off') return undefined;
  if (url !== undefined) {
    if (key !== undefined) return new RemoteRunner({ url, key, log });
    const message =
      'TOOLGATE_RUNNER_URL needs TOOLGATE_RUNNER_KEY, the key that the runner was started with.';
    throw new AppError('runner_key_missing', 422, message);
  }
  if (process.platform === 'win32') return undefined;
  return new ChildRunner({
    program: [path.join(projectDir, 'src', 'main.ts'), 'runner', '--child'],
    env: {
      ...Object.fromEntries(
        passedOn.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
      ),
      TOOLGATE_CONFIG: config.TOOLGATE_CONFIG,
      TOOLGATE_DATA_DIR: config.TOOLGATE_DATA_DIR,
    },
    socketPath: path.join(config.TOOLGATE_DATA_DIR, 'runner.sock'),
    log,
  });
}

/** The contents of the config file whose commands may be run. */
export function filesInForce(first: ConfigFile) {
  let counted: readonly ConfigFile[] = [first];
  return {
    current: () => counted,
    /** While `work` puts another content in force, what is stored may be of either: the commands of both count. */
    async during<T>(next: ConfigFile, work: () => Promise<T>): Promise<T> {
      const before = counted;
      counted = [next, ...before];
      try {
        const result = await work();
        counted = [next];
        return result;
      } catch (error) {
        counted = before;
        throw error;
      }
    },
  };
}
