// People appear at their first request: written off the hot path, so that no request waits for the database.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import { createReservations, type Reservations } from './link-reservations.ts';
import { type LinkedIdentity, type Sighting, saveConflict, saveSighting } from './provisioning-store.ts';
import { createRetryQueue } from './retry-queue.ts';

const againAfterMs = 5 * 60_000;

export interface Provisioning extends Pick<Reservations, 'reserve'> {
  /** Somebody proved who they are. Cheap; the same news within five minutes is dropped. */
  sighted(sighting: Sighting): void;
  /** A token was refused because its address is linked to another subject. Audited once an hour for each. */
  conflicted(identity: LinkedIdentity, email: string): void;
  /** Waits for the write under way; whoever still waits is seen again at the next request. */
  close(): Promise<void>;
}

export function createProvisioning({ db, clock, log }: { db: Db; clock: Clock; log: Log }): Provisioning {
  const queue = createRetryQueue(log);
  const recent = new LRUCache<string, { print: string; issuedAt: number; at: number }>({ max: 50_000 });
  const conflicts = new LRUCache<string, true>({ max: 10_000, ttl: 3_600_000 });
  const reservations = createReservations();

  function isNews({ identity, groups, issuedAt }: Sighting, key: string, now: number): boolean {
    const print = `${identity?.subject}\n${groups?.join('\n')}`;
    const last = recent.get(key);
    const lately = last !== undefined && now - last.at < againAfterMs;
    // Of two tokens that differ, the newer one tells: otherwise they would undo each other with every request.
    if (lately && (last.print === print || issuedAt <= last.issuedAt)) return false;
    recent.set(key, { print, issuedAt, at: now });
    return true;
  }

  function sighted(sighting: Sighting): void {
    const { identity, id } = sighting;
    const key = `${sighting.source}\n${id}`;
    if (!isNews(sighting, key, clock())) return;
    queue.add(key, {
      async run() {
        const result = await saveSighting(db, sighting, clock());
        if (identity === null) return;
        if (result === 'saved') reservations.settle(identity, id);
        else reservations.cancel(identity, id);
        if (result === 'conflict') conflicted(identity, id);
      },
      giveUp() {
        recent.delete(key);
        if (identity !== null) reservations.cancel(identity, id);
      },
    });
  }

  function conflicted(identity: LinkedIdentity, email: string): void {
    const key = `conflict\n${identity.issuer}\n${identity.subject}\n${email}`;
    if (conflicts.has(key)) return;
    conflicts.set(key, true);
    log.warn(
      { ...identity, email },
      'a sign-in was refused: its e-mail address is linked to another account',
    );
    queue.add(key, {
      run: () => saveConflict(db, identity, email),
      giveUp: () => conflicts.delete(key),
    });
  }

  return { reserve: reservations.reserve, sighted, conflicted, close: queue.close };
}
