import { inspect } from 'node:util';
import type { Clock } from '../../platform/clock.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { ChangingToken, FoundCredential } from '../credential.ts';
import type { AccountBook } from './account-book.ts';
import type { AccountQuestion } from './accounts.ts';
import type { AccountRow } from './accounts-store.ts';
import { accountReconnect } from './errors.ts';
import type { OpenAccounts } from './open-accounts.ts';
import type { Renewals } from './renewals.ts';
import { lifeOf } from './tokens.ts';

export interface AccountTools {
  readonly book: AccountBook;
  readonly open: OpenAccounts;
  readonly renewals: Renewals;
  readonly log: Log;
  readonly clock: Clock;
}

/** Why an account cannot be used for this question, in a sentence; null when it can. */
export function problemOf(row: AccountRow, q: AccountQuestion): string | null {
  if (row.state === 'reconnect') return row.problem ?? 'It ended.';
  if (row.resource !== q.resource) return 'The server is at another address than when it was connected.';
  if (
    q.issuer !== undefined &&
    row.issuer !== q.issuer &&
    URL.parse(row.issuer)?.href !== URL.parse(q.issuer)?.href
  )
    return 'People sign in somewhere else for this server than when it was connected.';
  return null;
}

// Renewed for a refusal and refused again so soon: another renewal would not help either.
const hopelessMs = 60_000;
const mostTries = 3;

/** One connected account. It prints as its id. */
export class AccountCredential implements FoundCredential {
  readonly id: string;
  readonly owner = 'user';
  readonly ownerId: string;
  readonly version: string;
  readonly changing: ChangingToken;
  readonly #q: AccountQuestion;
  readonly #tools: AccountTools;

  constructor(row: AccountRow, q: AccountQuestion, tools: AccountTools) {
    this.id = row.id;
    this.ownerId = row.user;
    this.version = versionOf(row);
    this.#q = q;
    this.#tools = tools;
    this.changing = { current: () => this.#current(), refused: (token) => this.#refused(token) };
  }

  open(): never {
    throw new Error(`the token of the account ${this.id} changes: it is asked for, not kept`);
  }

  toString(): string {
    return `[account ${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }

  /** The token at once while there is one that lasts. */
  #current(): string | Promise<string> {
    try {
      const row = this.#row();
      const secret = this.#tools.open.secretOf(row);
      const life = lifeOf(secret, this.#tools.clock());
      if (life === 'over') return this.#renewed(row, mostTries);
      if (life === 'ageing' && secret.refreshToken !== null) this.#renewSoon(row);
      return secret.accessToken;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #renewed(row: AccountRow, tries: number): Promise<string> {
    const { renewals, open, clock } = this.#tools;
    const next = await renewals.renew(row, 'expiry');
    const secret = open.secretOf(next);
    // Somebody else's renewal may be just about to end, too.
    const isOver = lifeOf(secret, clock()) === 'over' && next.generation !== row.generation;
    return isOver && tries > 1 ? this.#renewed(next, tries - 1) : secret.accessToken;
  }

  #renewSoon(row: AccountRow): void {
    const { renewals, log } = this.#tools;
    renewals.renew(row, 'expiry').catch((error: unknown) => {
      // The token still lasts for a while, and the next call tries again.
      log.debug({ account: this.id, error: messageOf(error) }, 'could not renew an account ahead of time');
    });
  }

  async #refused(token: string): Promise<boolean> {
    const { open, renewals, clock, log } = this.#tools;
    const row = this.#tools.book.byId(this.id);
    if (!row || problemOf(row, this.#q) !== null) return false;
    const secret = open.secretOf(row);
    if (secret.accessToken !== token) return true;
    if (secret.refreshToken === null) {
      await renewals.giveUp(row, 'The server does not accept it any more.');
      return false;
    }
    if (secret.why === 'refusal' && clock() - secret.obtainedAt < hopelessMs) {
      await renewals.giveUp(row, 'The server does not accept it, although it was just renewed.');
      return false;
    }
    try {
      return (await renewals.renew(row, 'refusal')).generation !== row.generation;
    } catch (error) {
      log.debug({ account: this.id, error: messageOf(error) }, 'could not renew an account that was refused');
      return false;
    }
  }

  #row(): AccountRow {
    const row = this.#tools.book.byId(this.id);
    if (!row) throw accountReconnect(this.#q.server, 'It was disconnected.');
    const problem = problemOf(row, this.#q);
    if (problem !== null) throw accountReconnect(this.#q.server, problem);
    return row;
  }
}

/** Another one for each time that it is connected; renewing changes nothing about who somebody is. */
export function versionOf(row: AccountRow): string {
  return row.connectedAt.getTime().toString(36);
}
