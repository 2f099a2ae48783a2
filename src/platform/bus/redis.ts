import { type Clock, systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { failureOf, type Redis, redisClient, watchLife } from '../redis/client.ts';
import { everyone, type OpenTransport, type Transport } from './contract.ts';
import { Outbox } from './outbox.ts';

/** How long a start waits for Redis before it goes on without it, in milliseconds. */
const startPatience = 3_000;
/** Bytes that may be on their way to Redis; more wait here, where they can be dropped. */
const mostOnTheWay = 8 * 1024 * 1024;

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
  readonly #stopWatching: () => void;
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
    this.#publisher = redisClient(url, 'toolgate-send');
    this.#subscriber = redisClient(url, 'toolgate-receive');
    for (const redis of [this.#publisher, this.#subscriber]) {
      redis.on('error', (error) => this.#failed(error));
      redis.on('close', () => this.#look());
    }
    this.#publisher.on('ready', () => this.#look());
    this.#subscriber.on('ready', () => void this.#subscribe());
    this.#subscriber.on('message', (_channel, text) => o.receive(text));
    const onFailed = (error: unknown) => this.#failed(error);
    this.#stopWatching = watchLife([this.#publisher, this.#subscriber], { onFailed });
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
    this.#stopWatching();
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

  #failed(error: unknown): void {
    this.#lastFailure = failureOf(error);
    if (!this.#closed) this.#log.debug({ failure: this.#lastFailure }, 'Redis failed');
  }
}
