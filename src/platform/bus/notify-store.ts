import { sql } from 'kysely';
import type { Db } from '../db/index.ts';

/** Notifies each channel of its payload, in this order and all at once. */
export async function notify(
  db: Db,
  messages: readonly { readonly channel: string; readonly payload: string }[],
): Promise<void> {
  const channels = messages.map(({ channel }) => channel);
  const payloads = messages.map(({ payload }) => payload);
  await sql`select pg_notify(channel, payload)
    from unnest(${channels}::text[], ${payloads}::text[]) as message(channel, payload)`.execute(db);
}
