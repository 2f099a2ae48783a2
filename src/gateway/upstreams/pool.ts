import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Snapshot } from '../../access/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { NetGuard } from '../../platform/net-guard.ts';
import { type Connector, type ConnectorOptions, type Sink, UpstreamError } from '../connectors/contract.ts';
import { HttpConnector } from '../connectors/http.ts';
import { type Reaper, startReaper } from '../connectors/reaper.ts';
import { SseConnector } from '../connectors/sse.ts';
import { StdioConnector } from '../connectors/stdio.ts';
import type { RpcNotification } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { type Hello, OtherEraError } from './handshake.ts';
import { definitionKey, destinationOf, type Surroundings, type Target } from './target.ts';
import { Upstream } from './upstream.ts';

export interface Connection {
  readonly key: string;
  readonly upstream: Upstream;
  readonly hello: Hello;
}

export interface PoolOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Re-checks addresses of servers that the operator did not write himself. */
  readonly netGuard: NetGuard;
  readonly projectDir: string;
  readonly around: Surroundings;
  /** Most connections in all, and to one server. */
  readonly maxConnections: number;
  readonly maxPerServer: number;
  readonly idleMs: number;
  /** Is somebody waiting for what this server may send on its own? */
  isHeld(target: Target): boolean;
  onUnsolicited(target: Target, key: string, message: RpcNotification): void;
}

interface Entry {
  readonly key: string;
  readonly target: Target;
  readonly upstream: Upstream;
}

/** How long "this server speaks only the other era" is believed, in milliseconds. */
const verdictTtl = 600_000;
const startTimeout = 30_000;
const sweepEvery = 30_000;
const maxVariants = 8;

/** Every connection of the gate, one for each (destination, era, capabilities), made lazily and bounded in number. */
export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #otherEra: LRUCache<string, Era>;
  readonly #closing = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #reaper: Reaper | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#otherEra = new LRUCache({ max: 10_000, ttl: verdictTtl });
    this.#timer = setInterval(() => this.#sweep(), sweepEvery);
    this.#timer.unref();
  }

  /**
   * A connection to the target that speaks `prefer` where the server can, else the other era.
   * `capabilities` is what the client can do, as JSON text; only the legacy era fixes it per connection.
   */
  async connect(target: Target, prefer: Era, capabilities: string): Promise<Connection> {
    const first = this.eraFor(target, prefer);
    try {
      return await this.#ready(target, first, capabilities);
    } catch (error) {
      if (!(error instanceof OtherEraError) || target.server.definition.type === 'sse') throw error;
      const other: Era = first === 'modern' ? 'legacy' : 'modern';
      const connection = await this.#ready(target, other, capabilities);
      this.#otherEra.set(`${first}|${target.key}`, other);
      return connection;
    }
  }

  /** Era and key of the connection that `connect` would use, for caches that outlive connections. */
  keyFor(target: Target, prefer: Era, capabilities: string): string {
    return keyOf(target, this.eraFor(target, prefer), capabilities);
  }

  /**
   * stdio servers are asked in the legacy era first: nearly all speak it, and some exit at an unknown first
   * request. The SSE transport has no other.
   */
  eraFor(target: Target, prefer: Era): Era {
    const wanted = target.server.definition.type === 'http' ? prefer : 'legacy';
    return this.#otherEra.get(`${wanted}|${target.key}`) ?? wanted;
  }

  /** Is a connection open under this key at the moment? */
  isConnected(key: string): boolean {
    return this.#entries.get(key)?.upstream.connected ?? false;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Ends what the new picture no longer allows: servers gone, disabled or defined otherwise. */
  apply(snapshot: Snapshot): void {
    for (const entry of [...this.#entries.values()]) {
      const server = snapshot.servers.get(entry.target.server.id);
      const valid =
        server?.definition.enabled === true && definitionKey(server) === definitionKey(entry.target.server);
      if (!valid) this.#remove(entry);
    }
  }

  /** Whoever waits out a pause after a failure tries again at once. */
  hurry(target: Target): void {
    for (const entry of this.#entries.values()) if (entry.target.key === target.key) entry.upstream.hurry();
  }

  /** Ends the connections of one session. */
  endSession(session: string): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.target.scope === `session:${session}`) this.#remove(entry);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const entry of [...this.#entries.values()]) this.#remove(entry);
    await Promise.all(this.#closing);
    this.#reaper?.close();
  }

  async #ready(target: Target, era: Era, capabilities: string): Promise<Connection> {
    const key = keyOf(target, era, capabilities);
    const entry = this.#entries.get(key) ?? this.#add(key, target, era, capabilities);
    try {
      return { key, upstream: entry.upstream, hello: await entry.upstream.ready() };
    } catch (error) {
      if (error instanceof OtherEraError) this.#remove(entry);
      throw error;
    }
  }

  #add(key: string, target: Target, era: Era, capabilities: string): Entry {
    // A call may still be on its way while everything shuts down; what it would start, nobody would end.
    if (this.#closed) throw new UpstreamError('closed', 'The gate is shutting down.');
    this.#makeRoom(target);
    const { log, clock } = this.#options;
    const upstream = new Upstream({
      name: target.server.id,
      era,
      capabilities: era === 'modern' ? '{}' : capabilities,
      startTimeoutMs: Math.min(startTimeout, target.server.definition.timeoutMs),
      open: (sink) => this.#open(target, sink),
      onUnsolicited: (message) => this.#options.onUnsolicited(target, key, message),
      log,
      clock,
    });
    const entry = { key, target, upstream };
    this.#entries.set(key, entry);
    return entry;
  }

  #open(target: Target, sink: Sink): Connector {
    const destination = destinationOf(target, this.#options.around);
    const { netGuard, log, projectDir } = this.#options;
    const options: ConnectorOptions = {
      name: target.server.id,
      maxResponseBytes: target.server.definition.maxResponseBytes,
      sink,
      log,
      netGuard: target.trusted ? undefined : netGuard,
    };
    if (destination.type === 'stdio') {
      this.#reaper ??= startReaper();
      return new StdioConnector(destination, {
        ...options,
        reaper: this.#reaper,
        binDirs: [join(projectDir, 'node_modules', '.bin')],
      });
    }
    return destination.type === 'sse'
      ? new SseConnector(destination, options)
      : new HttpConnector(destination, options);
  }

  /** Full: the connection that was idle longest makes room; when none is idle, the newcomer is refused. */
  #makeRoom(target: Target): void {
    const crowd = this.#crowdAround(target);
    if (!crowd) return;
    const [oldest] = crowd
      .filter((entry) => entry.upstream.inFlight === 0)
      .sort((a, b) => a.upstream.lastUsedAt - b.upstream.lastUsedAt);
    if (!oldest) {
      const message = `The server "${target.server.id}" has as many connections as it may have; try again in a moment.`;
      throw new UpstreamError('busy', message);
    }
    this.#remove(oldest);
  }

  /** The connections among which one must go before a new one is made; undefined while there is room. */
  #crowdAround(target: Target): Entry[] | undefined {
    const { maxConnections, maxPerServer } = this.#options;
    const all = [...this.#entries.values()];
    // The same server with the same credentials, once for each kind of client: nobody needs many of these.
    const variants = all.filter((entry) => entry.target.key === target.key);
    if (variants.length >= maxVariants) return variants;
    const own = all.filter((entry) => entry.target.server.id === target.server.id);
    if (own.length >= maxPerServer) return own;
    return all.length >= maxConnections ? all : undefined;
  }

  #sweep(): void {
    const before = this.#options.clock() - this.#options.idleMs;
    for (const entry of [...this.#entries.values()]) {
      const isIdle = entry.upstream.inFlight === 0 && entry.upstream.lastUsedAt < before;
      if (isIdle && !this.#options.isHeld(entry.target)) this.#remove(entry);
    }
  }

  #remove(entry: Entry): void {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    const closing = entry.upstream.close().catch((error: unknown) => {
      this.#options.log.warn(
        { err: error, server: entry.target.server.id },
        'connection did not close cleanly',
      );
    });
    this.#closing.add(closing);
    closing.finally(() => this.#closing.delete(closing)).catch(() => undefined);
  }
}

function keyOf(target: Target, era: Era, capabilities: string): string {
  return era === 'modern' ? `modern|${target.key}` : `legacy|${capabilities}|${target.key}`;
}
