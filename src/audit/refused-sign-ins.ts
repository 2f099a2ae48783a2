import { LRUCache } from 'lru-cache';
import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import { within } from '../platform/deadline.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { CallRecord } from './contract.ts';
import { refusedBecause } from './refused-because.ts';
import { writeAudit } from './store.ts';

/** Written once a minute; of an address that goes on, in longer and longer turns. */
const firstTurnMs = 60_000;
const longestTurnMs = 3_600_000;
const mostAddresses = 10_000;
/** Events an hour that name an address; what is beyond is one event of all the others together. */
const mostEvents = 100;
const mostReasons = 10;
const writeMs = 5_000;

/** What the event of all the addresses is called that have none of their own. */
const others = '*';

interface Count {
  refused: number;
  since: number;
  readonly reasons: Map<string, number>;
  /** When its next event may be written, and how long the one after that waits. */
  dueAt: number;
  turnMs: number;
}

export interface RefusedSignIns {
  /** Is shown each record of a request, kept or not. Never throws, never waits. */
  see(call: CallRecord): void;
  /** Writes down what was refused. What the database does not take waits. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface Options {
  readonly db: Db;
  readonly log: Log;
  readonly clock: Clock;
}

/** Writes into the log of changes, counted by address, who was refused because they proved nobody. */
export function watchRefusedSignIns(o: Options): RefusedSignIns {
  const watch = new Watch(o);
  const timer = setInterval(() => void watch.flush(), firstTurnMs).unref();
  return {
    see: (call) => watch.see(call),
    flush: () => watch.flush(),
    async close() {
      clearInterval(timer);
      await watch.flush(); // Or the end of the one that is under way.
      await watch.flush(true);
    },
  };
}

class Watch {
  readonly #o: Options;
  readonly #others: Count;
  readonly #counts = new LRUCache<string, Count>({
    max: mostAddresses,
    dispose: (count, _address, why) => {
      if (why === 'evict') move(count, this.#others);
    },
  });
  #hour = { since: -Infinity, events: 0 };
  #running: Promise<void> | undefined;

  constructor(o: Options) {
    this.#o = o;
    this.#others = countFrom(o.clock());
  }

  see(call: CallRecord): void {
    const reason = refusedBecause(call);
    if (reason === undefined) return;
    const now = this.#o.clock();
    const address = call.clientIp;
    const known = address === null ? this.#others : this.#counts.get(address);
    const count = known ?? countFrom(now);
    if (address !== null && known === undefined) this.#counts.set(address, count);
    if (count.refused === 0) count.since = now;
    add(count, reason, 1);
  }

  /** One at a time. `isLast`: nothing waits for its turn any more. */
  flush(isLast = false): Promise<void> {
    this.#running ??= this.#writeAll(isLast)
      .catch((error: unknown) =>
        this.#o.log.warn({ error: messageOf(error) }, 'refused sign-ins wait for the database'),
      )
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #writeAll(isLast: boolean): Promise<void> {
    const now = this.#o.clock();
    const isDue = ({ refused, dueAt }: Count) => refused > 0 && (isLast || dueAt <= now);
    // Names are for those who were refused most.
    const worstFirst = [...this.#counts.entries()].sort(([, a], [, b]) => b.refused - a.refused);
    for (const [address, count] of worstFirst) {
      if (count.refused === 0 && now - count.dueAt > longestTurnMs) this.#counts.delete(address);
      if (!isDue(count)) continue;
      if (this.#mayName(now)) await this.#write(address, count, now);
      else move(count, this.#others);
    }
    if (isDue(this.#others)) await this.#write(others, this.#others, now);
  }

  #mayName(now: number): boolean {
    if (now - this.#hour.since >= longestTurnMs) this.#hour = { since: now, events: 0 };
    return this.#hour.events < mostEvents;
  }

  async #write(address: string, count: Count, now: number): Promise<void> {
    const { refused, since } = count;
    const reasons = new Map(count.reasons);
    const after = { refused, since: new Date(since).toISOString(), reasons: Object.fromEntries(reasons) };
    const target = { targetKind: 'address', targetId: address };
    const clientIp = address === others ? null : address;
    const entry = { actor: 'toolgate', action: 'sign_in.refused', ...target, clientIp, after };
    await within(writeMs, 'the database took too long', writeAudit(this.#o.db, entry));
    // More may have come meanwhile.
    count.refused -= refused;
    count.since = now;
    for (const [reason, times] of reasons) take(count.reasons, reason, times);
    count.dueAt = now + count.turnMs;
    count.turnMs = Math.min(count.turnMs * 2, longestTurnMs);
    if (address !== others) this.#hour.events += 1;
  }
}

function countFrom(now: number): Count {
  return { refused: 0, since: now, reasons: new Map(), dueAt: now, turnMs: firstTurnMs };
}

/** Reasons are words of ours, and few; however it may be, they are not many here. */
function add(count: Count, reason: string, times: number): void {
  const name = count.reasons.has(reason) || count.reasons.size < mostReasons ? reason : 'others';
  count.reasons.set(name, (count.reasons.get(name) ?? 0) + times);
  count.refused += times;
}

function take(reasons: Map<string, number>, reason: string, times: number): void {
  const left = (reasons.get(reason) ?? 0) - times;
  if (left > 0) reasons.set(reason, left);
  else reasons.delete(reason);
}

function move(from: Count, to: Count): void {
  if (from.refused === 0) return;
  to.since = to.refused === 0 ? from.since : Math.min(to.since, from.since);
  for (const [reason, times] of from.reasons) add(to, reason, times);
  from.reasons.clear();
  from.refused = 0;
}
