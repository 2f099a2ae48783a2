import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { within } from '../deadline.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { createChannels, listenTo, unlistenTo } from './channels.ts';
import type { ListenHandlers } from './database.ts';

const firstDelayMs = 100;
const longestDelayMs = 10_000;
/** How long a server may take to stop telling: whoever closes must not wait for one that hangs. */
const unlistenMs = 1_000;

/** One connection of its own for LISTEN, opened at the first use; comes back by itself after it was lost. */
export class Listener {
  readonly #newClient: () => pg.Client;
  readonly #log: Log;
  readonly #channels = createChannels();
  readonly #closed = new AbortController();
  #connection: Promise<pg.Client> | undefined;
  #reconnecting: Promise<void> | undefined;

  constructor(newClient: () => pg.Client, log: Log) {
    this.#newClient = newClient;
    this.#log = log;
  }

  async listen(channel: string, handlers: ListenHandlers): Promise<() => Promise<void>> {
    this.#channels.add(channel, handlers);
    const stop = () => this.#unlisten(channel, handlers);
    // While it reconnects, the channel is listened to with all the others as soon as that succeeds.
    if (this.#reconnecting) return stop;
    try {
      this.#connection ??= this.#connect();
      const client = await this.#connection;
      await client.query(listenTo(channel));
    } catch (error) {
      if (this.#reconnecting) return stop;
      abandon(this.#connection);
      this.#connection = undefined;
      this.#channels.remove(channel, handlers);
      throw error;
    }
    return stop;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#connection?.then(
      (client) => client.end(),
      () => undefined, // It never connected: there is nothing to end.
    );
    await this.#reconnecting;
  }

  async #unlisten(channel: string, handlers: ListenHandlers): Promise<void> {
    if (!this.#channels.remove(channel, handlers)) return;
    const connection = this.#connection;
    const said = connection?.then((client) => client.query(unlistenTo(channel)));
    try {
      await within(unlistenMs, 'The database did not answer.', Promise.resolve(said));
    } catch (error) {
      this.#log.debug({ error: messageOf(error) }, 'a connection that is over, which ends listening as well');
      abandon(connection);
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = this.#newClient();
    const lost = () => this.#lost();
    client.on('error', () => undefined); // 'end' follows, which is where a loss is handled.
    try {
      await client.connect();
      client.once('end', lost);
      await this.#channels.attach(client);
    } catch (error) {
      client.off('end', lost);
      await client.end();
      throw error;
    }
    return client;
  }

  #lost(): void {
    this.#connection = undefined;
    if (this.#closed.signal.aborted) return;
    this.#log.warn('the connection that listens for changes was lost');
    this.#reconnecting ??= this.#reconnect().finally(() => {
      this.#reconnecting = undefined;
    });
  }

  async #reconnect(): Promise<void> {
    for (let delay = firstDelayMs; ; delay = Math.min(delay * 2, longestDelayMs)) {
      // Jitter: replicas that lost the same server do not all come back in the same moment.
      await this.#pause(delay * (0.5 + Math.random()));
      if (this.#closed.signal.aborted) return;
      try {
        this.#connection = this.#connect();
        await this.#connection;
        this.#log.info('listening for changes again');
        return this.#channels.resync();
      } catch (error) {
        this.#connection = undefined;
        this.#log.debug({ error: messageOf(error) }, 'cannot listen for changes yet');
      }
    }
  }

  /** Ends early, and without an error, when the listener is closed. */
  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closed.signal }).catch(() => undefined);
  }
}

/** One that hangs would keep whoever comes next; once it is gone, a new one listens for those that are left. */
function abandon(connection: Promise<pg.Client> | undefined): void {
  connection?.then((client) => client.end()).catch(() => undefined); // It never connected: there is nothing to end.
}
