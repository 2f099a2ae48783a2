import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Clock, isAhead } from '../../platform/clock.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { AppError, messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { AccountBook } from './account-book.ts';
import {
  type AccountRow,
  dropLease,
  putReconnect,
  readAccount,
  type Taken,
  takeLease,
} from './accounts-store.ts';
import { scope } from '../scope.ts';
import { accountReconnect, renewalFailed } from './errors.ts';
import type { NextOnes, NextTokens } from './next-tokens.ts';
import { pause, type PendingTokens } from './pending-tokens.ts';
import type { UnsavedTokens } from './unsaved-tokens.ts';

export interface RenewalsOptions {
  readonly database: Pick<Database, 'db' | 'forTenant'>;
  readonly book: AccountBook;
  readonly next: NextTokens;
  readonly unsaved: UnsavedTokens;
  readonly pending: PendingTokens;
  readonly log: Log;
  readonly clock: Clock;
}

/** Renews tokens: one process at a time, each refresh token once, and never in a loop. */
export interface Renewals {
  /**
   * The account with tokens after those of `row`, whoever got them. Rejects with AppErrors for people:
   * `account_reconnect` when only its owner can go on, another one while that is not known.
   */
  renew(row: AccountRow, why: 'expiry' | 'refusal'): Promise<AccountRow>;
  /** From here on the owner has to sign in again. */
  giveUp(row: AccountRow, problem: string): Promise<AppError>;
  close(): Promise<void>;
}

// Longer than a request to a token endpoint may take, with room to store what it answered.
const leaseSeconds = 30;
const latestStartMs = 12_000;
const patienceMs = 20_000;
const lookAgainMs = 500;
// Whoever left a lease behind tries to store what it got every second at the latest.
const graceMs = 2_000;
const holdMs = 10_000;

export function createRenewals(o: RenewalsOptions): Renewals {
  return new Renewing(o);
}

class Renewing implements Renewals {
  readonly #o: RenewalsOptions;
  readonly #running = new Map<string, Promise<AccountRow>>();
  /** Accounts whose last renewal failed for reasons that may pass: not asked again at once. */
  readonly #held = new LRUCache<string, { until: number; error: AppError }>({ max: 10_000 });
  readonly #closed = new AbortController();

  constructor(o: RenewalsOptions) {
    this.#o = o;
  }

  renew(row: AccountRow, why: 'expiry' | 'refusal'): Promise<AccountRow> {
    const running = this.#running.get(row.id);
    if (running) return running;
    const held = this.#held.get(`${row.id} ${row.generation}`);
    if (held && isAhead(held.until, this.#o.clock(), holdMs)) return Promise.reject(held.error);
    const work = this.#renew(row, why)
      .catch((error: unknown) => this.#hold(row, error))
      .finally(() => this.#running.delete(row.id));
    this.#running.set(row.id, work);
    return work;
  }

  async giveUp(row: AccountRow, problem: string): Promise<AppError> {
    const { database, book, log } = this.#o;
    const { id, generation, server } = row;
    log.info({ account: id, server, problem }, 'an account has to be connected again');
    try {
      const stored = await putReconnect(scope(database, row.tenant), { id, generation, problem });
      if (stored) book.accept(stored);
    } catch (error) {
      // This process knows at least; the others find out by themselves.
      log.warn(
        { account: id, error: messageOf(error) },
        'cannot store that an account has to be connected again',
      );
      book.accept({ ...row, state: 'reconnect', problem });
    }
    return accountReconnect(server, problem);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.allSettled(this.#running.values());
  }

  #hold(row: AccountRow, error: unknown): never {
    if (!(error instanceof AppError)) {
      this.#o.log.error({ account: row.id, error: messageOf(error) }, 'renewing an account failed');
    }
    const told = error instanceof AppError ? error : renewalFailed(row.server, 'something went wrong here');
    const until = this.#o.clock() + holdMs;
    if (told.code !== 'account_reconnect')
      this.#held.set(`${row.id} ${row.generation}`, { until, error: told });
    throw told;
  }

  async #renew(row: AccountRow, why: 'expiry' | 'refusal'): Promise<AccountRow> {
    const holder = randomUUID();
    const latest = performance.now() + patienceMs;
    // Looked up before anybody else has to wait for it.
    await this.#o.next.prepare(row);
    for (;;) {
      const startedAt = performance.now();
      const taken = await this.#ask(row, (db) =>
        takeLease(db, { ...placeOf(row), holder, seconds: leaseSeconds }),
      );
      if (taken) return this.#withLease(taken, { holder, why, startedAt });
      const fresh = await this.#look(row);
      // An older one is what the database has while this process still waits to store what it got.
      if (fresh.generation > row.generation) return fresh;
      if (performance.now() > latest || this.#closed.signal.aborted)
        throw renewalFailed(row.server, 'another process of the gate does not come to an end with it');
      await this.#o.book.changed(this.#o.book.byId(row.id) ?? row, lookAgainMs);
    }
  }

  /** The account as the database has it. Rejects when it cannot be renewed any more. */
  async #look(row: AccountRow): Promise<AccountRow> {
    const fresh = await this.#ask(row, (db) => readAccount(db, row.id));
    if (!fresh) {
      this.#o.book.drop(row.id);
      throw accountReconnect(row.server, 'It was disconnected.');
    }
    this.#o.book.accept(fresh);
    if (fresh.state === 'reconnect') throw accountReconnect(row.server, fresh.problem ?? '');
    return fresh;
  }

  async #withLease(
    { row, abandoned }: Taken,
    o: { holder: string; why: 'expiry' | 'refusal'; startedAt: number },
  ): Promise<AccountRow> {
    if (abandoned) {
      await pause(graceMs, this.#closed.signal);
      const fresh = await this.#look(row);
      if (fresh.generation !== row.generation) return fresh;
    }
    try {
      // A process that was stopped for a while may not be the only one any more.
      if (performance.now() - o.startedAt > latestStartMs)
        throw renewalFailed(row.server, 'the gate is too slow');
      const got = await this.#o.next.get(row, o.why);
      if ('over' in got) throw await this.giveUp(row, got.over);
      return await this.#store(row, got);
    } catch (error) {
      await dropLease(scope(this.#o.database, row.tenant), row.id, o.holder).catch(() => undefined); // it ends by itself
      throw error;
    }
  }

  /** From here on the old refresh token is worth nothing: the new one must not be lost. */
  async #store(row: AccountRow, got: NextOnes): Promise<AccountRow> {
    const { renewed } = got;
    const { book, pending, unsaved, log, next } = this.#o;
    await unsaved.keep(renewed);
    try {
      const stored = await pending.put(renewed);
      if (stored) return stored;
    } catch (error) {
      log.warn({ account: row.id, error: messageOf(error) }, 'renewed tokens wait for the database');
      pending.putLater(got);
      const { sealed, scopes } = renewed;
      const here = {
        ...row,
        sealed,
        scopes,
        generation: renewed.generation + 1,
        refreshedAt: new Date(this.#o.clock()),
      };
      book.accept(here);
      return here;
    }
    try {
      return await this.#look(row);
    } catch (error) {
      // Disconnected meanwhile: what came after that is taken back, too.
      await next.discard(row, renewed);
      throw error;
    }
  }

  async #ask<T>(row: AccountRow, work: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await work(scope(this.#o.database, row.tenant));
    } catch (error) {
      const why = 'the gate’s database does not answer';
      throw renewalFailed(row.server, why, messageOf(error));
    }
  }
}

function placeOf({ id, generation }: AccountRow): { id: string; generation: number } {
  return { id, generation };
}
