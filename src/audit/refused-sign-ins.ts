import { LRUCache } from 'lru-cache';
import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { CallRecord } from './contract.ts';
import { writeAudit } from './store.ts';

/** So many refusals of one address in ten minutes are told of, once an hour. */
const many = 30;
const windowMs = 600_000;
const quietMs = 3_600_000;
const mostAddresses = 10_000;
/** Events an hour, whoever asks from however many addresses. */
const mostEvents = 100;

interface Count {
  since: number;
  refused: number;
  toldAt: number;
}

/** Writes an event into the audit log when an address is refused again and again, because it proves nobody. */
export function watchRefusedSignIns(o: {
  readonly db: Db;
  readonly log: Log;
  readonly clock: Clock;
}): (call: CallRecord) => void {
  const counts = new LRUCache<string, Count>({ max: mostAddresses });
  const events = { since: 0, told: 0 };
  const tell = (address: string, count: Count, reason: string | null) => {
    const after = { refused: count.refused, minutes: windowMs / 60_000, reason };
    const entry = {
      actor: 'toolgate',
      action: 'sign_in.refused_repeatedly',
      targetKind: 'address',
      targetId: address,
    };
    writeAudit(o.db, { ...entry, clientIp: address, after }).catch((error: unknown) =>
      o.log.warn({ error: messageOf(error) }, 'refused sign-ins were not written into the audit log'),
    );
  };
  return ({ outcome, clientIp, reason }) => {
    if (outcome !== 'unauthenticated' || clientIp === null) return;
    const now = o.clock();
    const known = counts.get(clientIp);
    const count = known ?? { since: now, refused: 0, toldAt: -Infinity };
    if (known === undefined) counts.set(clientIp, count);
    if (now - count.since > windowMs) [count.since, count.refused] = [now, 0];
    count.refused += 1;
    if (count.refused < many || now - count.toldAt < quietMs) return;
    if (now - events.since > quietMs) [events.since, events.told] = [now, 0];
    count.toldAt = now;
    events.told += 1;
    if (events.told <= mostEvents) tell(clientIp, count, reason);
  };
}
