import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { failureOf, type Redis, redisClient, watchLife } from './client.ts';
import type { RedisLink, Script } from './contract.ts';
import { NotHeard, Silence } from './silence.ts';

/** How long a start waits for Redis before it goes on without it, in milliseconds. */
const startPatience = 1_000;
/** Once it has kept somebody waiting, nobody asks for as long as this, in milliseconds; then one does. */
const pause = 1_000;

/** A link that is there at once, or soon; without Redis it is away until there is one. `purpose` is for logs. */
export async function openRedisLink(
  url: string,
  o: { purpose: string; log: Log; clock: Clock },
): Promise<RedisLink> {
  const link = new Link(url, o);
  await link.start();
  return link;
}

class Link implements RedisLink {
  readonly #purpose: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #redis: Redis;
  readonly #silence = new Silence();
  readonly #stopWatching: () => void;
  #awaySince: Date | null;
  #lastFailure = 'none';
  /** When the next question may be asked, by the clock of this process alone. */
  #notBefore = 0;
  #closed = false;

  constructor(url: string, o: { purpose: string; log: Log; clock: Clock }) {
    this.#purpose = o.purpose;
    this.#log = o.log;
    this.#clock = o.clock;
    this.#awaySince = new Date(o.clock());
    this.#redis = redisClient(url, 'toolgate-ask');
    this.#redis.on('error', (error) => this.#failed(error));
    this.#redis.on('ready', () => this.#isBack());
    this.#redis.on('close', () => this.#isLost());
    const onFailed = (error: unknown) => this.#failed(error);
    this.#stopWatching = watchLife([this.#redis], { onFailed, onAlive: () => this.#isAlive() });
  }

  async start(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, startPatience);
    const connected = this.#redis.connect().catch((error: unknown) => this.#failed(error));
    await Promise.race([connected, late.promise]);
    clearTimeout(timer);
    if (this.#awaySince) this.#tellLost();
  }

  isUsable(): boolean {
    return this.#redis.status === 'ready' && performance.now() >= this.#notBefore;
  }

  async run(script: Script, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    // One asks, and the others go on without until it has been answered.
    if (this.#awaySince) this.#notBefore = performance.now() + pause;
    try {
      return await this.#silence.bounded(async () => {
        const answer = await this.#ask(script, keys, values);
        // Also when it came too late for whoever asked: it is there, and was only slow.
        if (this.#awaySince) this.#isBack();
        return answer;
      });
    } catch (error) {
      this.#failed(error);
      this.#isLost();
      throw error;
    }
  }

  awaySince(): Date | null {
    return this.#awaySince;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#stopWatching();
    this.#redis.disconnect();
    return Promise.resolve();
  }

  #ask({ text, sha }: Script, keys: readonly string[], values: readonly (string | number)[]) {
    const all = [...keys, ...values];
    return this.#redis.evalsha(sha, keys.length, ...all).catch((error: unknown) => {
      // Redis forgets scripts when it starts, and may be told to.
      if (failureOf(error) !== 'NOSCRIPT') throw error;
      return this.#redis.eval(text, keys.length, ...all);
    });
  }

  /** A server that answers to this may still refuse scripts: then only a script that runs says that all is well. */
  #isAlive(): void {
    if (this.#lastFailure === NotHeard.code) this.#isBack();
  }

  #isBack(): void {
    if (this.#closed || this.#redis.status !== 'ready') return;
    this.#notBefore = 0;
    if (this.#awaySince) this.#log.info({ purpose: this.#purpose }, 'Redis can be used');
    this.#awaySince = null;
  }

  #isLost(): void {
    this.#notBefore = performance.now() + pause;
    if (this.#closed || this.#awaySince) return;
    this.#awaySince = new Date(this.#clock());
    this.#tellLost();
  }

  #tellLost(): void {
    this.#log.warn({ purpose: this.#purpose, failure: this.#lastFailure }, 'Redis cannot be used');
  }

  #failed(error: unknown): void {
    this.#lastFailure = failureOf(error);
  }
}
