import type { Snapshot } from '../../access/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { untilAborted } from '../connectors/until-aborted.ts';
import type { RpcNotification, RpcResponse } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { keyOf } from './connection-key.ts';
import { Dialer, type DialerOptions } from './dialer.ts';
import { EraVerdicts } from './era-verdicts.ts';
import { sharedCapabilities } from './extensions.ts';
import { type Hello, OtherEraError } from './handshake.ts';
import { Entries } from './entries.ts';
import { HealthChecks } from './health.ts';
import { type Entry, inTheWay, type Room } from './make-room.ts';
import { type Known, Standings } from './standing.ts';
import { definitionKey, type Target } from './target.ts';
import { Upstream } from './upstream.ts';

export interface Connection {
  readonly key: string;
  readonly upstream: Upstream;
  readonly hello: Hello;
}

export interface PoolLimits extends Room {
  /** How long a connection that nobody uses is kept, in milliseconds. */
  readonly idleMs: number;
}

export interface PoolOptions extends DialerOptions {
  readonly clock: Clock;
  /** As they are at the moment: the config file may change. */
  readonly limits: () => PoolLimits;
  /** How long a server has for a sign of life, where it is not the usual time, in milliseconds. */
  readonly signOfLifeMs?: number;
  onUnsolicited(target: Target, key: string, message: RpcNotification): void;
  /** The server was out of hearing for a while: anything may have changed. */
  onGap(target: Target, key: string): void;
  /** The server is ready, for the first time or again. */
  onOpened?(key: string): void;
}

/** What a caller brings along. */
export interface Asked {
  /** The era to speak where the server can. */
  readonly prefer: Era;
  /** What the client can do, as JSON text; only the legacy era fixes it per connection. */
  readonly capabilities: string;
  /** Fires when the caller no longer waits. */
  readonly signal?: AbortSignal | undefined;
  /** Whose call it is; undefined for the gate's own. */
  readonly holder?: string | undefined;
}

const startTimeout = 30_000;
const lookEvery = 5_000;

/** What there is at one moment. */
export interface PoolState {
  readonly known: readonly Known[];
  readonly entries: readonly Entry[];
}

/** Every connection of the gate, one for each (destination, era, capabilities), made lazily and bounded in number. */
export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #entries: Entries;
  readonly #standings: Standings;
  readonly #health: HealthChecks;
  readonly #verdicts: EraVerdicts;
  readonly #timer: NodeJS.Timeout;
  readonly #dialer: Dialer;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#dialer = new Dialer(options);
    this.#verdicts = new EraVerdicts(this.#dialer);
    const { log, clock } = options;
    this.#entries = new Entries(log);
    this.#standings = new Standings(clock);
    const standingOf = ({ target, upstream }: Entry) => this.#standings.of(target, upstream.options.era);
    this.#health = new HealthChecks({ clock, standingOf });
    this.#timer = setInterval(() => void this.look(), lookEvery);
    this.#timer.unref();
  }

  /**
   * A connection to the target that speaks `prefer` where the server can, else the other era. `capabilities` and
   * `signal` as in Asked.
   */
  connect(target: Target, prefer: Era, capabilities: string, signal?: AbortSignal): Promise<Connection> {
    return this.#connect(target, { prefer, capabilities, signal });
  }

  /**
   * Runs `send` over such a connection. When the server turns out to speak another era than it did, once more over
   * the right one: a server that refuses the era has not begun with the request.
   */
  async use(
    target: Target,
    asked: Asked,
    send: (connection: Connection) => Promise<RpcResponse>,
  ): Promise<{ response: RpcResponse; connection: Connection }> {
    const connection =
      (asked.signal?.aborted ? undefined : this.#opened(target, asked)) ??
      (await this.#connect(target, asked));
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
      const right = await this.#connect(target, asked);
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
    const isOver = ({ server: known }: Target) => {
      const server = snapshot.servers.get(known.id);
      return server?.definition.enabled !== true || definitionKey(server) !== definitionKey(known);
    };
    this.#entries.removeWhere(({ target }) => isOver(target));
    this.#standings.forget(isOver);
  }

  /** A server that is left alone after a failure is tried again at once. */
  hurry(target: Target): void {
    for (const { target: known, standing } of this.#standings.all())
      if (known.key === target.key) standing.circuit.hurry();
    for (const entry of this.#entries.all()) if (entry.target.key === target.key) entry.upstream.hurry();
  }

  /** Ends the connections of one session. */
  endSession(session: string): void {
    this.#entries.removeWhere(({ target }) => target.scope === `session:${session}`);
  }

  /** Puts to rest what nobody uses, and asks the others for a sign of life. Resolves when they have had their time. */
  async look(): Promise<void> {
    const before = this.#options.clock() - this.#options.limits().idleMs;
    this.#entries.removeWhere(
      ({ upstream: { inFlight, lastUsedAt, interests } }) =>
        inFlight === 0 && lastUsedAt < before && interests.isEmpty,
    );
    await this.#health.look(this.#entries.all());
  }

  /** For administrators. */
  states(): PoolState {
    return { known: this.#standings.all(), entries: this.#entries.all() };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#entries.close();
    this.#dialer.close();
  }

  async #connect(target: Target, asked: Asked): Promise<Connection> {
    const first = this.#verdicts.firstFor(target, asked.prefer);
    try {
      return await this.#ready(target, first, asked);
    } catch (error) {
      if (error instanceof OtherEraError && target.server.definition.type !== 'sse')
        return this.#inOtherEra(target, first, asked);
      // Silence is no evidence; that it was met in the other era is.
      if (isSilence(error) && this.#speaks(target, first === 'modern' ? 'legacy' : 'modern'))
        return this.#inOtherEra(target, first, asked);
      const old = first === 'legacy' && (await this.#verdicts.isOldTransport(target, error));
      if (!old) throw error;
      this.#removeAll(target);
      return this.#ready(target, first, asked);
    }
  }

  async #inOtherEra(target: Target, first: Era, asked: Asked): Promise<Connection> {
    const other: Era = first === 'modern' ? 'legacy' : 'modern';
    // Even if that fails: whoever comes next need not ask in the first one again.
    this.#verdicts.hinted(target, first, other);
    const connection = await this.#ready(target, other, asked).catch(async (error: unknown) => {
      if (other === 'modern' || !(await this.#verdicts.isOldTransport(target, error))) throw error;
      this.#removeAll(target);
      return this.#ready(target, other, asked);
    });
    this.#verdicts.proved(target, first, other);
    return connection;
  }

  /** A connection that is there: nearly every call finds one, and waits for nothing. */
  #opened(target: Target, { prefer, capabilities }: Asked): Connection | undefined {
    const key = keyOf(target, this.#verdicts.firstFor(target, prefer), capabilities);
    const upstream = this.#entries.get(key)?.upstream;
    const hello = upstream?.hello;
    return upstream && hello && { key, upstream, hello };
  }

  async #ready(target: Target, era: Era, asked: Asked): Promise<Connection> {
    const { signal } = asked;
    const key = keyOf(target, era, asked.capabilities);
    const entry = this.#entries.get(key) ?? this.#add(key, target, era, asked);
    const { upstream } = entry;
    try {
      const hello = await (signal ? untilAborted(upstream.ready(), signal) : upstream.ready());
      return { key, upstream, hello };
    } catch (error) {
      if (error instanceof OtherEraError) this.#entries.remove(entry);
      throw error;
    }
  }

  #add(key: string, target: Target, era: Era, asked: Asked): Entry {
    // A call may still be on its way while everything shuts down; what it would start, nobody would end.
    if (this.#closed) throw new UpstreamError('closed', 'The gate is shutting down.');
    const { log, clock, limits } = this.#options;
    const holder = target.holder ?? asked.holder;
    const standing = this.#standings.of(target, era);
    const { refusal } = standing.circuit;
    // Nobody else's connection has to go for one that would not be made.
    if (refusal) throw refusal;
    const old = inTheWay(this.#entries.all(), { target, holder }, limits());
    if (old) this.#entries.remove(old);
    const upstream = new Upstream({
      name: target.server.id,
      era,
      capabilities:
        era === 'modern' ? '{}' : sharedCapabilities(target.server.definition, asked.capabilities),
      startTimeoutMs: Math.min(startTimeout, target.server.definition.timeoutMs),
      open: (sink) => this.#dialer.open(target, sink, this.#verdicts.isSseOnly(target) ? 'sse' : undefined),
      onUnsolicited: (message) => this.#options.onUnsolicited(target, key, message),
      onGap: () => this.#options.onGap(target, key),
      onOpened: () => this.#options.onOpened?.(key),
      onOtherEra: () => this.#entries.remove(entry),
      ...{ standing, isAlone: target.server.definition.type !== 'http' },
      ...{ log, clock, signOfLifeMs: this.#options.signOfLifeMs },
    });
    const entry: Entry = { key, target, upstream, holder };
    this.#entries.add(entry);
    return entry;
  }

  /** Is there a connection that works in this era, for whatever kind of client? */
  #speaks(target: Target, era: Era): boolean {
    return this.#entries
      .all()
      .some(
        (entry) =>
          entry.target.key === target.key && entry.upstream.hello && entry.upstream.options.era === era,
      );
  }

  #removeAll(target: Target): void {
    this.#entries.removeWhere((entry) => entry.target.key === target.key);
  }
}

/** It was silent, or is left alone because it was. */
function isSilence(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return false;
  return error.kind === 'timeout' || (error.kind === 'paused' && isSilence(error.cause));
}
