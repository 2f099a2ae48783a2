import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { Target } from '../upstreams/target.ts';

/** What a task id of the gate says: where the task is, and whose. */
export interface TaskId {
  readonly server: string;
  /** The tool that was called: whoever may not call it any more has lost its tasks too. */
  readonly tool: string;
  /** The server's own id. */
  readonly own: string;
}

interface Sealed {
  readonly s: string;
  readonly n: string;
  readonly u: string;
  /** Principal. */
  readonly p: string;
  /** Active tenant. */
  readonly t: string | null;
  /** Digest of the connection's identity: address, credential, isolation. */
  readonly k: string;
  /** Milliseconds since the epoch. */
  readonly c: number;
}

/** Whose call it is, and how it reaches the server. */
export interface TaskOwner {
  readonly principal: string;
  readonly tenant: string | null;
}

/** Servers name how long they keep a task; nothing is kept longer than this, in milliseconds. */
const longestLife = 90 * 24 * 3_600_000;
const longestId = 8_000;

/**
 * Task ids as clients get to see them (SEP-2663): the server's own, sealed with everything that says whose it is, so
 * that any process finds the task and nobody but the one who began it.
 */
export class TaskIds {
  readonly #sealer: Sealer;
  readonly #clock: Clock;

  constructor(sealer: Sealer, clock: Clock) {
    this.#sealer = sealer;
    this.#clock = clock;
  }

  seal({ tool, own }: Omit<TaskId, 'server'>, owner: TaskOwner, target: Target): string {
    const sealed: Sealed = {
      ...{ s: target.server.id, n: tool, u: own, p: owner.principal, t: owner.tenant },
      ...{ k: digest(target), c: this.#clock() },
    };
    return this.#sealer.seal(JSON.stringify(sealed));
  }

  /** Undefined when it was made up, is somebody else's, or is too old. */
  open(id: unknown, owner: TaskOwner): TaskId | undefined {
    const sealed = this.#read(id);
    const isTheirs = sealed?.p === owner.principal && sealed.t === owner.tenant;
    if (!sealed || !isTheirs || this.#clock() - sealed.c > longestLife) return undefined;
    return { server: sealed.s, tool: sealed.n, own: sealed.u };
  }

  /** Is this the connection that the task was begun through? Another credential may not see it. */
  belongsTo(id: unknown, target: Target): boolean {
    return this.#read(id)?.k === digest(target);
  }

  #read(id: unknown): Sealed | undefined {
    if (typeof id !== 'string' || id.length > longestId) return undefined;
    const text = this.#sealer.open(id);
    if (text === undefined) return undefined;
    const parsed: unknown = JSON.parse(text);
    return parsed as Sealed; // authenticated: nobody but seal() wrote it
  }
}

/** A server that was defined anew at the same address keeps its tasks. */
function digest({ url, scope, credentials }: Target): string {
  const used = [...credentials.values()].map(({ id }) => id).sort();
  return createHash('sha256')
    .update([url ?? '', scope, ...used].join('|'))
    .digest('base64url')
    .slice(0, 22);
}
