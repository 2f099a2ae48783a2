import pg from 'pg';
import type { ListenHandlers } from './database.ts';

/** Who wants to hear of which channel; the same for both engines. */
export interface Channels {
  add(channel: string, handlers: ListenHandlers): void;
  /** True when nobody is left who wants to hear of the channel. */
  remove(channel: string, handlers: ListenHandlers): boolean;
  /** Makes a new connection hear of every channel and pass on what it hears. */
  attach(client: pg.ClientBase): Promise<void>;
  /** Tells everybody that notifications may be missing. */
  resync(): void;
}

export function createChannels(): Channels {
  const channels = new Map<string, Set<ListenHandlers>>();
  return {
    add(channel, handlers) {
      channels.set(channel, (channels.get(channel) ?? new Set()).add(handlers));
    },
    remove(channel, handlers) {
      const all = channels.get(channel);
      if (!all?.delete(handlers) || all.size > 0) return false;
      return channels.delete(channel);
    },
    async attach(client) {
      client.on('notification', ({ channel, payload }) => {
        for (const handlers of channels.get(channel) ?? []) handlers.onNotify(payload ?? '');
      });
      for (const channel of channels.keys()) await client.query(listenTo(channel));
    },
    resync() {
      for (const all of channels.values()) for (const handlers of all) handlers.onResync();
    },
  };
}

export function listenTo(channel: string): string {
  return `listen ${pg.escapeIdentifier(channel)}`;
}

export function unlistenTo(channel: string): string {
  return `unlisten ${pg.escapeIdentifier(channel)}`;
}
