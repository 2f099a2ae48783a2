import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { UpstreamError } from '../connectors/contract.ts';
import { type AllowedCommand, allowedCommand, type FileCommands } from './allowed-commands.ts';
import { launchContained, type Site } from './containment/launch.ts';
import { directoryName, type Owner, removeOwnDirectories } from './data-directory.ts';
import type { Ground } from './ground.ts';
import { installedInstead } from './installed-package.ts';
import { type Limits, limitsOf, limitsWithin } from './limits.ts';
import { anyMayWrite } from './may-write.ts';
import type { PackageShelf, Shelved } from './packages/shelf.ts';
import type { PinnedCommand } from './pinned-commands.ts';
import { prepareOrder } from './prepare.ts';
import { ServedProcess } from './served-process.ts';
import type { processInput } from './wire.ts';

export interface ProcessesOptions {
  readonly site: Site;
  readonly ground: Ground;
  readonly most: { readonly inAll: number; readonly perServer: number; readonly perTenant: number };
  /** Undefined: every owner fetches packages again, because nothing would keep one from changing another's. */
  readonly packages: PackageShelf | undefined;
  /** What may be started at this moment. */
  fileCommands(): Promise<FileCommands>;
  pinnedCommands(): readonly PinnedCommand[];
}

type Asked = z.output<typeof processInput>;

/** What somebody may have started, as whose, and how much it may use. */
interface Granted {
  readonly owner: Owner;
  readonly allowed: AllowedCommand;
  readonly limits: Limits;
}

/** Every process of the runner, bounded in number. */
export class Processes {
  readonly #options: ProcessesOptions;
  readonly #all = new Map<string, ServedProcess>();
  /** Those that are being started, so that many at once do not slip through together. */
  readonly #starting = new Set<Owner>();
  #isClosed = false;

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#all.size + this.#starting.size;
  }

  get(id: string): ServedProcess | undefined {
    return this.#all.get(id);
  }

  list(): ServedProcess[] {
    return [...this.#all.values()];
  }

  /** Starts one. Throws UpstreamError for what may not be started, and when there are too many. */
  async open(asked: Asked): Promise<ServedProcess> {
    const allowed = await this.#allowed(asked);
    const limits = this.#limits(asked, allowed);
    const owner: Owner = { server: asked.server, tenant: asked.tenant, scope: asked.scope };
    this.#makeRoom(owner);
    this.#starting.add(owner);
    try {
      return await this.#start(asked, { owner, allowed, limits });
    } finally {
      this.#starting.delete(owner);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.list().map((one) => one.close()));
  }

  async #allowed(asked: Asked): Promise<AllowedCommand> {
    const { fileCommands, pinnedCommands } = this.#options;
    const allowed = allowedCommand(asked, await fileCommands(), pinnedCommands());
    if (allowed) return allowed;
    this.#options.site.log.warn({ server: asked.server }, 'a command was refused that nothing here allows');
    throw new UpstreamError(
      'not_allowed',
      `The runner does not start "${asked.server}": its command is neither that of the config file that the runner reads nor one of the catalog.`,
    );
  }

  /** Of what the operator wrote, as written; of the rest never more than usual. */
  #limits(asked: Asked, { origin, limits }: AllowedCommand): Limits {
    const found = origin === 'file' ? limitsOf(limits) : limitsWithin(asked.limits);
    if (found.network === 'full' || this.#options.site.system.closesNetwork) return found;
    throw new UpstreamError(
      'not_allowed',
      `The runner does not start "${asked.server}": it may not have a network, and nothing on this system can keep it from one; docs/runner.md says what could.`,
    );
  }

  #makeRoom({ server, tenant }: Owner): void {
    if (this.#isClosed) throw new UpstreamError('closed', 'The runner is shutting down.');
    const { inAll, perServer, perTenant } = this.#options.most;
    const owners = this.#owners();
    const ofTenant = owners.filter((one) => tenant !== null && one.scope !== '' && one.tenant === tenant);
    const isFull =
      owners.length >= inAll ||
      owners.filter((one) => one.server === server).length >= perServer ||
      ofTenant.length >= perTenant;
    if (isFull)
      throw new UpstreamError(
        'busy',
        `The runner has no room for another process of "${server}"; try again later.`,
      );
  }

  async #start(asked: Asked, o: Granted): Promise<ServedProcess> {
    const shelved = await this.#shelved(asked, o.allowed);
    try {
      return await this.#launch(asked, o, shelved);
    } catch (error) {
      shelved?.release();
      throw error;
    }
  }

  async #shelved({ server, command, args, env }: Asked, { cwd, origin }: AllowedCommand) {
    const { packages, ground, fileCommands } = this.#options;
    const isHere = origin === 'catalog' && installedInstead({ command, args }, ground.searched).args !== args;
    const mayBeWritten = async (file: string) => anyMayWrite(file, await fileCommands());
    return isHere ? undefined : packages?.take({ server, command, args, env, cwd, mayBeWritten });
  }

  async #launch(asked: Asked, o: Granted, shelved: Shelved | undefined): Promise<ServedProcess> {
    const { site, ground } = this.#options;
    const id = randomBytes(9).toString('hex');
    const job = { id, ...o, wanted: asked, shelved };
    const { order, staysUser } = await prepareOrder(job, ground, site.system);
    if (this.#isClosed) throw new UpstreamError('closed', 'The runner is shutting down.');
    const { owner } = o;
    const served = new ServedProcess(launchContained(order, site), {
      ...{ id, owner, log: site.log, secrets: asked.secrets, maxMessageBytes: asked.maxMessageBytes },
      onEnded: () => {
        shelved?.release();
        return this.#forget(id, owner);
      },
    });
    this.#all.set(id, served);
    const about = { server: owner.server, process: id, pid: served.pid };
    if (staysUser === undefined) site.log.debug(about, 'a process was started');
    else site.log.info({ ...about, why: staysUser }, 'a process was started as the user of the runner');
    return served;
  }

  /** Names of the directories whose owners have a process, or are about to. */
  inUse(): ReadonlySet<string> {
    return new Set(this.#owners().map(directoryName));
  }

  #owners(): Owner[] {
    return [...this.#starting, ...this.list().map((one) => one.owner)];
  }

  /** A session does not come back for what it has left. */
  async #forget(id: string, owner: Owner): Promise<void> {
    this.#all.delete(id);
    if (owner.scope.startsWith('session:') && !this.#isStillOwned(owner))
      await removeOwnDirectories(this.#options.ground.root, owner);
  }

  #isStillOwned({ server, tenant, scope }: Owner): boolean {
    return this.#owners().some(
      (one) => one.server === server && one.tenant === tenant && one.scope === scope,
    );
  }
}
