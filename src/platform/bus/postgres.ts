import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../clock.ts';
import type { Database } from '../db/index.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { inChunks, Reassembly } from './chunks.ts';
import { everyone, type OpenTransport, type Transport } from './contract.ts';
import { notify } from './notify-store.ts';
import { Outbox } from './outbox.ts';

/** Of one statement: enough to be quick, little enough not to hold a connection for long. */
const mostAtOnce = 64;
const mostBytesAtOnce = 256 * 1024;
const firstRetry = 100;
const longestRetry = 5_000;

/** Messages by LISTEN and NOTIFY: a channel for each process and one for everyone. */
export function postgresTransport(database: Database, log: Log, clock = systemClock): OpenTransport {
  return async (node, receive) => {
    const reassembly = new Reassembly(clock);
    const onNotify = (payload: string) => {
      const text = reassembly.take(payload);
      if (text !== undefined) receive(text);
    };
    // What was sent while nobody listened is lost, as any message may be.
    const handlers = { onNotify, onResync: () => undefined };
    const stops = [
      await database.listen(channelOf(node), handlers),
      await database.listen(channelOf(everyone), handlers),
    ];
    return new PostgresTransport(database, { log, clock, stops });
  };
}

function channelOf(to: string): string {
  return to === everyone ? 'toolgate_everyone' : `toolgate_node_${to}`;
}

class PostgresTransport implements Transport {
  readonly #database: Database;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #stops: readonly (() => Promise<void>)[];
  readonly #outbox: Outbox;
  readonly #closed = new AbortController();
  #sending: Promise<void> | undefined;
  #awaySince: Date | null = null;

  constructor(database: Database, o: { log: Log; clock: Clock; stops: readonly (() => Promise<void>)[] }) {
    this.#database = database;
    this.#log = o.log;
    this.#clock = o.clock;
    this.#stops = o.stops;
    this.#outbox = new Outbox(o.log, o.clock);
  }

  publish(to: string, text: string): void {
    if (this.#closed.signal.aborted) return;
    this.#outbox.add({ channel: channelOf(to), text });
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  awaySince(): Date | null {
    return this.#awaySince;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#sending;
    for (const stop of this.#stops) await stop();
  }

  /** One statement after the other until nothing waits; once closed, until one fails. Never rejects. */
  async #send(): Promise<void> {
    const { signal } = this.#closed;
    let delay = firstRetry;
    for (;;) {
      const batch = this.#outbox.next(mostAtOnce, mostBytesAtOnce);
      if (batch.length === 0) return;
      try {
        await notify(
          this.#database.db,
          batch.flatMap(({ channel, text }) => inChunks(text).map((payload) => ({ channel, payload }))),
        );
        this.#outbox.sent(batch);
        this.#awaySince = null;
        delay = firstRetry;
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#awaySince)
          this.#log.warn({ error: messageOf(error) }, 'messages between processes cannot be sent');
        this.#awaySince ??= new Date(this.#clock());
        await sleep(delay * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
        delay = Math.min(delay * 2, longestRetry);
      }
    }
  }
}
