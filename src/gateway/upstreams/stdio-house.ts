import { mkdirSync, utimesSync } from 'node:fs';
import path from 'node:path';
import type { SnapshotServer } from '../../access/index.ts';
import { type ConnectorOptions, type Connector, UpstreamError } from '../connectors/contract.ts';
import { launchPlainly, type StdioDestination } from '../connectors/launched.ts';
import { type Reaper, startReaper } from '../connectors/reaper.ts';
import { RunnerConnector, type RunnerWay } from '../connectors/runner.ts';
import { StdioConnector } from '../connectors/stdio.ts';
import { directoryName, type Owner } from '../runner/data-directory.ts';
import { installedInstead } from '../runner/installed-package.ts';
import type { Target } from './target.ts';

/** Which commands may be run, and where. */
export interface StdioSettings {
  /** Has the operator written this command, in the config file or by what the catalog offers? */
  mayRun(server: SnapshotServer, filledIn: Pick<StdioDestination, 'args' | 'env'>): boolean;
  /** Undefined: servers are children of the gate. */
  readonly runner: RunnerWay | undefined;
  /** Without a runner: where servers have directories of their own. */
  readonly ownDirectories: string;
}

export interface StdioOptions extends StdioSettings {
  readonly projectDir: string;
}

const ownDirectory = '${dataDir}';

/** Where stdio servers live: in the runner, or beside the gate where there is none. */
export class StdioHouse {
  readonly #options: StdioOptions;
  #reaper: Reaper | undefined;

  constructor(options: StdioOptions) {
    this.#options = options;
  }

  /** Throws UpstreamError `not_allowed`. */
  open(target: Target, destination: StdioDestination, options: ConnectorOptions): Connector {
    const { definition } = target.server;
    const { runner, mayRun } = this.#options;
    if (definition.type !== 'stdio' || !mayRun(target.server, destination)) throw notAllowed(target.server);
    const owner = ownerOf(target);
    if (runner)
      return new RunnerConnector(destination, {
        ...options,
        ...owner,
        way: runner,
        limits: definition.limits,
      });
    const isOfCatalog = target.server.origin !== null;
    const binDirs = this.#binDirs();
    const started = isOfCatalog ? { ...destination, ...installedInstead(destination, binDirs) } : destination;
    return this.#beside(started, options, owner);
  }

  close(): void {
    this.#reaper?.close();
  }

  #binDirs(): string[] {
    return [path.join(this.#options.projectDir, 'node_modules', '.bin')];
  }

  #beside(destination: StdioDestination, options: ConnectorOptions, owner: Owner): Connector {
    const { ownDirectories } = this.#options;
    this.#reaper ??= startReaper();
    const binDirs = this.#binDirs();
    const { secrets } = destination;
    const launched = launchPlainly(
      settled(destination, path.join(ownDirectories, directoryName(owner), 'home')),
      {
        reaper: this.#reaper,
        binDirs,
      },
    );
    return new StdioConnector(launched, { ...options, secrets });
  }
}

/** Who shares the process, so that what it keeps is theirs alone. */
function ownerOf({ server, tenant, scope, filled: { mark } }: Target): Owner {
  // A process that all tenants share belongs to none of them, whichever asked first.
  return {
    server: server.id,
    tenant: scope === '' ? null : tenant,
    scope: mark === '' ? scope : `${scope}#${mark}`,
  };
}

/** Puts the directory of its own in, where the definition asks for one. */
function settled(destination: StdioDestination, home: string): StdioDestination {
  const { args, env } = destination;
  if (![...args, ...Object.values(env)].some((text) => text.includes(ownDirectory))) return destination;
  mkdirSync(home, { recursive: true, mode: 0o700 });
  // A runner that is used later removes what nobody has used for long, and goes by this.
  const now = new Date();
  utimesSync(path.dirname(home), now, now);
  const fill = (text: string) => text.replaceAll(ownDirectory, home);
  const filled = Object.entries(env).map(([name, text]) => [name, fill(text)] as const);
  return { ...destination, args: args.map(fill), env: Object.fromEntries(filled) };
}

function notAllowed({ id, origin }: SnapshotServer): UpstreamError {
  if (origin !== null)
    return new UpstreamError(
      'not_allowed',
      `The server "${id}" is not what the catalog would install, or was not installed by this Toolgate, so it is not run; an administrator can install it again: toolgate add ${origin.entry} --as ${id} --replace`,
    );
  return new UpstreamError(
    'not_allowed',
    `The command of the server "${id}" is not the one in the config file, nor that of a catalog entry, so it is not run; an operator has to write it there.`,
  );
}
