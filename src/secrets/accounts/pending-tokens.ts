import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/index.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { AccountBook } from './account-book.ts';
import { type AccountRow, keepLease, putReconnect, putRenewed, readAccount } from './accounts-store.ts';
import { scope } from '../scope.ts';
import type { NextTokens } from './next-tokens.ts';
import type { AccountSecret } from './tokens.ts';
import type { KeptTokens, UnsavedTokens } from './unsaved-tokens.ts';

export interface PendingTokensOptions {
  readonly database: Pick<Database, 'db' | 'forTenant'>;
  readonly book: AccountBook;
  readonly next: Pick<NextTokens, 'discard' | 'sealedAnew'>;
  readonly unsaved: UnsavedTokens;
  readonly box: Pick<SecretBox, 'holds' | 'keyIdOf'>;
  readonly log: Log;
  readonly clock: Clock;
}

/** Renewed tokens on their way into the database. The old refresh token is worth nothing: they must not be lost. */
export interface PendingTokens {
  /** Null when the account is gone, or has newer tokens. Rejects while the database does not take them. */
  put(renewed: KeptTokens): Promise<AccountRow | null>;
  /** Tries until they are stored, cannot ever be, or this process ends: then the file tells the next one. */
  putLater(tokens: Waiting): void;
  /** Stores what an earlier process got and could not store. */
  salvage(): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  readonly renewed: KeptTokens;
  /** Under another master key, they have to be sealed anew when this one may be retired already. */
  readonly secret?: AccountSecret | undefined;
}

const retryMs = [50, 200, 500, 1_000];
/** For another master key, once this process has heard that the one of the tokens is retired. */
const patienceMs = 60_000;
const leaseSeconds = 30;
const lost = 'Its renewed access could not be stored.';

export function createPendingTokens(o: PendingTokensOptions): PendingTokens {
  return new Pending(o);
}

class Pending implements PendingTokens {
  readonly #o: PendingTokensOptions;
  readonly #storing = new Set<Promise<void>>();
  readonly #closed = new AbortController();

  constructor(o: PendingTokensOptions) {
    this.#o = o;
  }

  async put(renewed: KeptTokens): Promise<AccountRow | null> {
    const stored = await putRenewed(scope(this.#o.database, renewed.tenant), renewed);
    if (stored) this.#o.book.accept(stored);
    await this.#o.unsaved.forget(renewed);
    return stored;
  }

  putLater(tokens: Waiting): void {
    const { id } = tokens.renewed;
    const work = this.#putUntilStored(tokens)
      .catch((error: unknown) =>
        this.#o.log.error({ account: id, error: messageOf(error) }, 'storing renewed tokens failed'),
      )
      .finally(() => this.#storing.delete(work));
    this.#storing.add(work);
  }

  async salvage(): Promise<void> {
    for (const renewed of await this.#o.unsaved.left())
      await this.put(renewed).catch(() => this.putLater({ renewed }));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.allSettled(this.#storing);
  }

  async #putUntilStored({ renewed: first, secret }: Waiting): Promise<void> {
    let renewed = first;
    const wait = this.#waitForKey();
    // By the time it is known that the account is gone, it may be forgotten here.
    const before = this.#o.book.byId(first.id);
    for (let tries = 0; !this.#closed.signal.aborted; tries += 1) {
      await pause(retryMs[Math.min(tries, retryMs.length - 1)] ?? 0, this.#closed.signal);
      try {
        if (!(await this.put(renewed)) && before) await this.#discardIfGone(before, renewed);
        return;
      } catch (error) {
        // That the database is away was said once, when it began.
        if (!isForGood(error)) continue;
        const anew = this.#sealedAnew({ renewed, secret });
        if (!anew && (await wait(renewed, error))) continue;
        if (!anew) return this.#giveUp(renewed, error);
        await this.#o.unsaved.keep(anew);
        renewed = anew;
      }
    }
  }

  /**
   * False when another master key is not what is missing, or did not come in a minute. A process that has not heard of a
   * retirement yet is behind, and waits until it has.
   */
  #waitForKey(): (renewed: KeptTokens, error: unknown) => Promise<boolean> {
    const { box, clock, database, log } = this.#o;
    let since: number | undefined;
    let isTold = false;
    return async ({ id, tenant, generation, sealed }, error) => {
      if (!isRetiredKey(error)) return false;
      if (!isTold) log.warn({ account: id }, 'renewed tokens wait for another master key');
      isTold = true;
      const isBehind = box.holds(box.keyIdOf(sealed) ?? '');
      since = isBehind ? undefined : (since ?? clock());
      if (since !== undefined && clock() - since > patienceMs) return false;
      // The lease of the renewal is not as long; without it the next look says what is wrong.
      await keepLease(scope(database, tenant), { id, generation, seconds: leaseSeconds }).catch(
        () => undefined,
      );
      return true;
    };
  }

  /** Under the key in force, where that is another one by now; null where it is not, or nothing opens them here. */
  #sealedAnew(tokens: Waiting): KeptTokens | null {
    const { book, next } = this.#o;
    const { renewed } = tokens;
    const row = book.byId(renewed.id);
    const anew = row ? next.sealedAnew(row, tokens) : null;
    if (row && anew && row.generation === renewed.generation + 1)
      book.accept({ ...row, sealed: anew.sealed });
    return anew;
  }

  /** The same would be refused for ever. What the database still has was used up, so its owner has to go on. */
  async #giveUp(renewed: KeptTokens, error: unknown): Promise<void> {
    const { book, next, log, database, unsaved } = this.#o;
    const { id, generation, tenant } = renewed;
    log.error({ account: id, error: messageOf(error) }, 'renewed tokens can never be stored');
    const row = book.byId(id);
    if (row) await next.discard(row, renewed);
    if (row && row.generation <= generation + 1) book.accept({ ...row, state: 'reconnect', problem: lost });
    try {
      await putReconnect(scope(database, tenant), { id, generation, problem: lost });
    } catch (failure) {
      const message = 'cannot store that an account has to be connected again';
      log.warn({ account: id, error: messageOf(failure) }, message);
    }
    await unsaved.forget(renewed);
  }

  /** Disconnected meanwhile: what came after that is taken back, too. */
  async #discardIfGone(before: AccountRow, renewed: KeptTokens): Promise<void> {
    if (await readAccount(scope(this.#o.database, renewed.tenant), renewed.id)) return;
    await this.#o.next.discard(before, renewed);
  }
}

/**
 * What the database will say again however often it is asked: a value that it does not take, or a constraint, which
 * the refusal of a retired master key is, too (SQLSTATE classes 22 and 23).
 */
function isForGood(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^2[23]/.test(code);
}

/** How `refuse_retired_key` says it; constraints of tables have codes of their own. */
function isRetiredKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23000';
}

export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done, { once: true });
  });
}
