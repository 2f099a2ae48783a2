import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, everyone } from '../../platform/bus/contract.ts';
import { type LimitCounts, type LimitCountsOfReplica, limitCountsOfReplica } from '../contract.ts';
import { addedUp } from './add-up.ts';
import type { Limit } from './limit.ts';
import type { Limits } from './limits.ts';

/** Shown of each kind, the most used; of refusals twice as many. */
const mostShown = 20;
/** How long the other replicas have to answer, in milliseconds, and how many are listened to. */
const patience = 300;
const mostReplicas = 100;

const kinds = [
  'user',
  'address',
  'group',
  'tenant',
  'server',
  'server_user',
  'tool',
  'tool_user',
] as const satisfies readonly Limit['kind'][];
const underWayKinds = ['user', 'tenant', 'server'] as const;

const asked = 'limits.asked';
const told = 'limits.told';

/** How full the limits are, here and in the other replicas. */
export class ReplicaStats {
  readonly #bus: Bus;
  readonly #limits: Limits;
  readonly #stop: (() => void)[];
  /** What the others have said since they were asked. */
  readonly #listening = new Set<Map<string, LimitCountsOfReplica>>();

  constructor(bus: Bus, limits: Limits) {
    this.#bus = bus;
    this.#limits = limits;
    this.#stop = [
      bus.on(asked, (_message, from) => bus.send(from, told, this.own())),
      bus.on(told, (message, from) => this.#hear(from, message)),
    ];
  }

  /** Of all replicas that answer in time. */
  async all(): Promise<{ together: LimitCounts; replicas: LimitCountsOfReplica[] }> {
    const heard = new Map<string, LimitCountsOfReplica>();
    this.#listening.add(heard);
    this.#bus.send(everyone, asked, null);
    await sleep(patience);
    this.#listening.delete(heard);
    const replicas = [this.own(), ...heard.values()];
    return { together: addedUp(replicas, mostShown), replicas };
  }

  /** Of this process. */
  own(): LimitCountsOfReplica {
    const { calls, underWay, refused } = this.#limits;
    return {
      replica: this.#bus.node,
      aloneSince: calls.aloneSince()?.toISOString() ?? null,
      perMinute: Object.fromEntries(
        kinds.map((kind) => [
          kind,
          calls.top(kind, mostShown).map(({ limit: { id, perMinute }, used }) => ({ id, used, perMinute })),
        ]),
      ),
      underWay: Object.fromEntries(underWayKinds.map((kind) => [kind, underWay.top(kind, mostShown)])),
      refusals: refused.byReason(),
      refused: refused.top(mostShown),
    };
  }

  close(): void {
    for (const stop of this.#stop) stop();
  }

  #hear(from: string, message: unknown): void {
    if (this.#listening.size === 0) return;
    // A process of another version may count other things.
    const { data } = limitCountsOfReplica.safeParse(message);
    for (const heard of this.#listening) if (data && heard.size < mostReplicas) heard.set(from, data);
  }
}
