import type { Bus } from '../../platform/bus/contract.ts';
import { type ListKind, listKinds } from '../lists/kinds.ts';
import type { Target } from '../upstreams/target.ts';
import { hear, tellAll } from './topic.ts';
import { listNews } from './topics.ts';

/** A server that announces without end is passed on this often, in milliseconds. */
const atMostEvery = 1_000;

interface Window {
  readonly target: Target;
  readonly kinds: Set<ListKind>;
  readonly timer: NodeJS.Timeout;
}

/** A server that announced a change to one process has announced it to all. */
export class ListNews {
  readonly #bus: Bus;
  readonly #windows = new Map<string, Window>();
  readonly #stop: () => void;

  constructor(
    bus: Bus,
    /** Another process heard it. `key` names the connection, `target` the one that it leads to. */
    onNews: (news: { server: string; target: string; key: string; kinds: readonly ListKind[] }) => void,
  ) {
    this.#bus = bus;
    this.#stop = hear(bus, listNews, onNews);
  }

  /** The server said so to this process: at once to the others, and once more after a while if it went on. */
  announce(target: Target, key: string, kinds: readonly ListKind[]): void {
    const open = this.#windows.get(key);
    if (open) {
      for (const kind of kinds) open.kinds.add(kind);
      return;
    }
    this.#open(target, key);
    tellAll(this.#bus, listNews, { server: target.server.id, target: target.key, key, kinds });
  }

  close(): void {
    this.#stop();
    for (const { timer } of this.#windows.values()) clearTimeout(timer);
    this.#windows.clear();
  }

  #open(target: Target, key: string): void {
    const timer = setTimeout(() => this.#shut(key), atMostEvery).unref();
    this.#windows.set(key, { target, kinds: new Set(), timer });
  }

  #shut(key: string): void {
    const window = this.#windows.get(key);
    this.#windows.delete(key);
    if (!window || window.kinds.size === 0) return;
    this.announce(
      window.target,
      key,
      listKinds.filter((kind) => window.kinds.has(kind)),
    );
  }
}
