import type { Snapshot } from '../../access/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { untilAborted } from '../connectors/until-aborted.ts';
import type { RpcNotification, RpcResponse } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { Dialer, type DialerOptions } from './dialer.ts';
import { EraVerdicts } from './era-verdicts.ts';
import { sharedCapabilities } from './extensions.ts';
import { type Hello, OtherEraError } from './handshake.ts';
import { type Entry, inTheWay, type Room } from './make-room.ts';
import { definitionKey, type Target } from './target.ts';
import { Upstream } from './upstream.ts';

export interface Connection {
  readonly key: string;
  readonly upstream: Upstream;
  readonly hello: Hello;
}

export interface PoolOptions extends DialerOptions, Room {
  readonly clock: Clock;
  readonly idleMs: number;
  onUnsolicited(target: Target, key: string, message: RpcNotification): void;
  /** The server was out of hearing for a while: anything may have changed. */
  onGap(target: Target, key: string): void;
}

/** What a caller brings along. */
export interface Asked {
  /** The era to speak where the server can. */
  readonly prefer: Era;
  /** What the client can do, as JSON text; only the legacy era fixes it per connection. */
  readonly capabilities: string;
  /** Fires when the caller no longer waits. */
  readonly signal?: AbortSignal;
}

const startTimeout = 30_000;
const sweepEvery = 30_000;

/** Every connection of the gate, one for each (destination, era, capabilities), made lazily and bounded in number. */
export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #verdicts: EraVerdicts;
  readonly #closing = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #dialer: Dialer;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#dialer = new Dialer(options);
    this.#verdicts = new EraVerdicts(this.#dialer);
    this.#timer = setInterval(() => this.#sweep(), sweepEvery);
    this.#timer.unref();
  }

  /**
   * A connection to the target that speaks `prefer` where the server can, else the other era. `capabilities` and
   * `signal` as in Asked.
   */
  async connect(
    target: Target,
    prefer: Era,
    capabilities: string,
    signal?: AbortSignal,
  ): Promise<Connection> {
    const first = this.#verdicts.firstFor(target, prefer);
    try {
      return await this.#ready(target, first, capabilities, signal);
    } catch (error) {
      if (error instanceof OtherEraError && target.server.definition.type !== 'sse')
        return this.#inOtherEra(target, first, { prefer, capabilities, ...(signal && { signal }) });
      // Silence is no evidence; that it was met in the other era is.
      if (isSilence(error) && this.#speaks(target, first === 'modern' ? 'legacy' : 'modern'))
        return this.#inOtherEra(target, first, { prefer, capabilities, ...(signal && { signal }) });
      const old = first === 'legacy' && (await this.#verdicts.isOldTransport(target, error));
      if (!old) throw error;
      this.#removeAll(target);
      return this.#ready(target, first, capabilities, signal);
    }
  }

  /**
   * Runs `send` over such a connection. When the server turns out to speak another era than it did, once more over
   * the right one: a server that refuses the era has not begun with the request.
   */
  async use(
    target: Target,
    { prefer, capabilities, signal }: Asked,
    send: (connection: Connection) => Promise<RpcResponse>,
  ): Promise<{ response: RpcResponse; connection: Connection }> {
    const connection =
      (signal?.aborted ? undefined : this.#opened(target, prefer, capabilities)) ??
      (await this.connect(target, prefer, capabilities, signal));
    let response: RpcResponse | undefined;
    let failure: unknown;
    try {
      response = await send(connection);
    } catch (error) {
      failure = error;
    }
    const said = response ?? failure;
    const isTelling = this.#verdicts.isTelling(target, connection.hello.era, said);
    if (isTelling && (await this.reconsider(target, connection, said))) {
      const right = await this.connect(target, prefer, capabilities, signal);
      return { response: await send(right), connection: right };
    }
    if (!response) throw failure;
    return { response, connection };
  }

  /**
   * Has the server changed sides since it was connected to? Then what was known of it is forgotten, and the next
   * connection finds out anew. `outcome` is what it answered, or how that failed.
   */
  async reconsider(target: Target, { hello }: Connection, outcome: unknown): Promise<boolean> {
    if (!(await this.#verdicts.hasChanged(target, hello.era, outcome))) return false;
    this.#verdicts.forget(target);
    this.#removeAll(target);
    return true;
  }

  /** Era and key of the connection that `connect` would use, for caches that outlive connections. */
  keyFor(target: Target, prefer: Era, capabilities: string): string {
    return keyOf(target, this.eraFor(target, prefer), capabilities);
  }

  eraFor(target: Target, prefer: Era): Era {
    return this.#verdicts.eraFor(target, prefer);
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
    this.#dialer.close();
  }

  async #inOtherEra(target: Target, first: Era, { capabilities, signal }: Asked): Promise<Connection> {
    const other: Era = first === 'modern' ? 'legacy' : 'modern';
    // Even if that fails: whoever comes next need not ask in the first one again.
    this.#verdicts.hinted(target, first, other);
    const connection = await this.#ready(target, other, capabilities, signal).catch(
      async (error: unknown) => {
        if (other === 'modern' || !(await this.#verdicts.isOldTransport(target, error))) throw error;
        this.#removeAll(target);
        return this.#ready(target, other, capabilities, signal);
      },
    );
    this.#verdicts.proved(target, first, other);
    return connection;
  }

  /** A connection that is there: nearly every call finds one, and waits for nothing. */
  #opened(target: Target, prefer: Era, capabilities: string): Connection | undefined {
    const key = keyOf(target, this.#verdicts.firstFor(target, prefer), capabilities);
    const upstream = this.#entries.get(key)?.upstream;
    const hello = upstream?.hello;
    return upstream && hello && { key, upstream, hello };
  }

  async #ready(
    target: Target,
    era: Era,
    capabilities: string,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const key = keyOf(target, era, capabilities);
    const entry = this.#entries.get(key) ?? this.#add(key, target, era, capabilities);
    const { upstream } = entry;
    try {
      const hello = await (signal ? untilAborted(upstream.ready(), signal) : upstream.ready());
      return { key, upstream, hello };
    } catch (error) {
      if (error instanceof OtherEraError) this.#remove(entry);
      throw error;
    }
  }

  #add(key: string, target: Target, era: Era, capabilities: string): Entry {
    // A call may still be on its way while everything shuts down; what it would start, nobody would end.
    if (this.#closed) throw new UpstreamError('closed', 'The gate is shutting down.');
    const old = inTheWay([...this.#entries.values()], target, this.#options);
    if (old) this.#remove(old);
    const { log, clock } = this.#options;
    const upstream = new Upstream({
      name: target.server.id,
      era,
      capabilities: era === 'modern' ? '{}' : sharedCapabilities(target.server.definition, capabilities),
      startTimeoutMs: Math.min(startTimeout, target.server.definition.timeoutMs),
      open: (sink) => this.#dialer.open(target, sink, this.#verdicts.isSseOnly(target) ? 'sse' : undefined),
      onUnsolicited: (message) => this.#options.onUnsolicited(target, key, message),
      onGap: () => this.#options.onGap(target, key),
      onOtherEra: () => this.#remove(entry),
      log,
      clock,
    });
    const entry: Entry = { key, target, upstream };
    this.#entries.set(key, entry);
    return entry;
  }

  #sweep(): void {
    const before = this.#options.clock() - this.#options.idleMs;
    for (const entry of [...this.#entries.values()]) {
      const { inFlight, lastUsedAt, interests } = entry.upstream;
      if (inFlight === 0 && lastUsedAt < before && interests.isEmpty) this.#remove(entry);
    }
  }

  /** Is there a connection that works in this era, for whatever kind of client? */
  #speaks(target: Target, era: Era): boolean {
    return [...this.#entries.values()].some(
      (entry) =>
        entry.target.key === target.key && entry.upstream.hello && entry.upstream.options.era === era,
    );
  }

  #removeAll(target: Target): void {
    for (const entry of [...this.#entries.values()]) if (entry.target.key === target.key) this.#remove(entry);
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

function isSilence(error: unknown): boolean {
  return error instanceof UpstreamError && error.kind === 'timeout';
}

function keyOf(target: Target, era: Era, capabilities: string): string {
  if (era === 'modern') return `modern|${target.key}`;
  return `legacy|${sharedCapabilities(target.server.definition, capabilities)}|${target.key}`;
}
