import { Redis, type RedisOptions } from 'ioredis';
import { type Clock, systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { everyone, type OpenTransport, type Transport } from './contract.ts';
import { Outbox } from './outbox.ts';

/** How long a start waits for Redis before it goes on without it, in milliseconds. */
const startPatience = 3_000;
/** A connection that says nothing is asked for a sign of life, and given up when there is none. */
const checkEvery = 5_000;
const signOfLife = 3_000;
/** Bytes that may be on their way to Redis; more wait here, where they can be dropped. */
const mostOnTheWay = 8 * 1024 * 1024;

const options = {
  // What cannot be sent waits in the outbox, which has a limit; the queues of the client have none.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  lazyConnect: true,
  // Jitter: replicas that lost the same server do not all come back in the same moment.
  retryStrategy: (times: number) => Math.min(100 * 2 ** Math.min(times, 6), 5_000) * (0.5 + Math.random()),
} satisfies RedisOptions;

/** Messages by publish and subscribe of Redis or Valkey. When it is away at the start, they begin when it is there. */
export function redisTransport(url: string, log: Log, clock = systemClock): OpenTransport {
  return async (node, receive) => {
    const transport = new RedisTransport(url, { log, clock, node, receive });
    await transport.start();
    return transport;
  };
}

function channelOf(to: string): string {
  return to === everyone ? 'toolgate:everyone' : `toolgate:node:${to}`;
}

class RedisTransport implements Transport {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #channels: readonly string[];
  readonly #outbox: Outbox;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #timer: NodeJS.Timeout;
  readonly #started = Promise.withResolvers<void>();
  #isListening = false;
  #onTheWay = 0;
  #closed = false;
  #awaySince: Date | null;
  #lastFailure = 'none';

  constructor(url: string, o: { log: Log; clock: Clock; node: string; receive: (text: string) => void }) {
    this.#log = o.log;
    this.#clock = o.clock;
    this.#channels = [channelOf(o.node), channelOf(everyone)];
    this.#outbox = new Outbox(o.log, o.clock);
    this.#awaySince = new Date(o.clock());
    this.#publisher = new Redis(url, { ...options, connectionName: 'toolgate-send' });
    this.#subscriber = new Redis(url, { ...options, connectionName: 'toolgate-receive' });
    for (const redis of [this.#publisher, this.#subscriber]) {
      redis.on('error', (error) => this.#failed(error));
      redis.on('close', () => this.#look());
    }
    this.#publisher.on('ready', () => this.#look());
    this.#subscriber.on('ready', () => void this.#subscribe());
    this.#subscriber.on('message', (_channel, text) => o.receive(text));
    this.#timer = setInterval(() => this.#check(), checkEvery).unref();
  }

  /** Waits a moment for Redis; without it the transport is there all the same, and away. */
  async start(): Promise<void> {
    for (const redis of [this.#publisher, this.#subscriber]) {
      redis.connect().catch((error: unknown) => this.#failed(error));
    }
    const timer = setTimeout(() => this.#started.resolve(), startPatience);
    await this.#started.promise;
    clearTimeout(timer);
    if (this.#awaySince) {
      const failure = this.#lastFailure;
      this.#log.warn({ failure }, 'Redis cannot be used; starting without it');
    }
  }

  publish(to: string, text: string): void {
    if (this.#closed) return;
    this.#outbox.add({ channel: channelOf(to), text });
    this.#flush();
  }

  awaySince(): Date | null {
    return this.#awaySince;
  }

  close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
    return Promise.resolve();
  }

  #flush(): void {
    while (this.#publisher.status === 'ready' && this.#onTheWay < mostOnTheWay) {
      const batch = this.#outbox.next(100, mostOnTheWay);
      if (batch.length === 0) return;
      this.#outbox.sent(batch);
      for (const { channel, text } of batch) {
        this.#onTheWay += text.length;
        this.#publisher
          .publish(channel, text)
          .catch((error: unknown) => this.#failed(error))
          .finally(() => {
            this.#onTheWay -= text.length;
            if (this.#outbox.size > 0) this.#flush();
          })
          .catch(() => undefined);
      }
    }
  }

  async #subscribe(): Promise<void> {
    try {
      await this.#subscriber.subscribe(...this.#channels);
      this.#isListening = true;
    } catch (error) {
      this.#failed(error);
      this.#subscriber.disconnect(true);
    }
    this.#look();
  }

  /** A server that hangs, or a network that swallows everything, does not close a connection. */
  #check(): void {
    for (const redis of [this.#publisher, this.#subscriber]) {
      if (redis.status !== 'ready') continue;
      const late = setTimeout(() => redis.disconnect(true), signOfLife).unref();
      redis
        .ping()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => clearTimeout(late))
        .catch(() => undefined);
    }
  }

  #look(): void {
    if (this.#subscriber.status !== 'ready') this.#isListening = false;
    const isUp = this.#isListening && this.#publisher.status === 'ready';
    if (isUp) {
      if (this.#awaySince) this.#log.info('Redis can be used');
      this.#awaySince = null;
      this.#started.resolve();
      return this.#flush();
    }
    if (this.#closed || this.#awaySince) return;
    this.#awaySince = new Date(this.#clock());
    this.#log.warn({ failure: this.#lastFailure }, 'Redis was lost');
  }

  /** Only the code: the driver's errors hold the command that failed, and with AUTH the password. */
  #failed(error: unknown): void {
    this.#lastFailure = codeOf(error);
    if (!this.#closed) this.#log.debug({ failure: this.#lastFailure }, 'Redis failed');
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error) return String(error.code);
  return /^[A-Z]+(?= )/.exec(error.message)?.[0] ?? error.name;
}
