// Who a browser is signed in as. Sessions are rows, so that they can be listed and ended; what the browser holds is a
// random name, sealed, so that a made-up one costs no look-up.
import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Principal, TenantId } from '../../access/contract.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Sealer } from '../../platform/sealer.ts';
import { saveSighting } from '../provisioning-store.ts';
import {
  deleteSessions,
  insertSession,
  type SessionRow,
  type SessionView,
  seeSession,
  sessionsOf,
} from './session-store.ts';

/** A browser that somebody is signed in with. */
export interface BrowserSession {
  /** Names it in lists; not what the browser holds. */
  readonly id: string;
  readonly how: string;
  readonly principal: Principal;
}

export interface BeginSession {
  readonly principal: Principal;
  readonly displayName: string;
  readonly how: string;
  readonly userAgent: string | undefined;
}

export interface BrowserSessions {
  /** Begins a session and returns what the browser is to hold. */
  begin(o: BeginSession): Promise<string>;
  /** Undefined when the session is over, or was never one. Rejects when the database cannot be asked. */
  find(held: string): Promise<BrowserSession | undefined>;
  /** Newest first. */
  listOf(user: string): Promise<SessionView[]>;
  /** Ends one session of a person, or all of them. Counts at once here, elsewhere within three seconds. */
  end(o: {
    readonly user: string;
    readonly only?: string | undefined;
    readonly actor: string;
  }): Promise<void>;
}

/** How long a sign-in lasts, in seconds. */
export const sessionSeconds = 8 * 3600;
/** How long a session is believed without asking the database: so much later an end elsewhere counts here. */
const believedMs = 3_000;
/** As memberships that a sign-in service stated. */
const statedMs = 60 * 60_000;
const mostKnown = 10_000;
const longestHeld = 500;
const longestAgent = 300;

export function createSessions(o: { db: Db; sealer: Sealer; clock: Clock }): BrowserSessions {
  const { db, sealer, clock } = o;
  const known = new LRUCache<string, { readonly row: SessionRow; readonly until: number }>({
    max: mostKnown,
  });

  async function rowOf(id: string, now: number): Promise<SessionRow | undefined> {
    const found = known.get(id);
    if (found && now < found.until && now < found.row.expiresAt.getTime()) return found.row;
    known.delete(id);
    const row = await seeSession(db, id, new Date(now));
    if (row) known.set(id, { row, until: now + believedMs });
    return row;
  }

  return {
    async begin({ principal, displayName, how, userAgent }) {
      const now = clock();
      const name = randomBytes(32).toString('base64url');
      const { id: user, assertedGroups, assertedBy, tokenTenant, authSource, credentialId } = principal;
      const issuedAt = Math.floor(now / 1000);
      // Whoever comes for the first time is not stored yet, and a session needs its owner.
      await saveSighting(
        db,
        { id: user, source: how, displayName, identity: null, groups: null, issuedAt },
        now,
      );
      await insertSession(db, {
        ...{ id: idOf(name), user, how, tokenTenant },
        tokenId: authSource === 'api-token' ? credentialId : null,
        statedGroups: assertedBy === null ? null : assertedGroups,
        userAgent: userAgent?.replace(/\P{ASCII}|\p{C}/gu, '').slice(0, longestAgent) ?? null,
        createdAt: new Date(now),
        expiresAt: new Date(now + sessionSeconds * 1000),
      });
      return sealer.seal(name);
    },
    async find(held) {
      const name = held.length > longestHeld ? undefined : sealer.open(held);
      if (name === undefined) return undefined;
      const now = clock();
      const row = await rowOf(idOf(name), now);
      return row && { id: row.id, how: row.how, principal: principalFrom(row, now) };
    },
    listOf: (user) => sessionsOf(db, user, new Date(clock())),
    async end(which) {
      for (const id of await deleteSessions(db, which)) known.delete(id);
    },
  };
}

/** How forms name a session. */
export function sessionName({ id }: BrowserSession): string {
  return `session ${id}`;
}

function idOf(name: string): string {
  return hash('sha256', name, 'base64url');
}

/** Its rights are those of the moment: the snapshot decides, as for any other way in. */
function principalFrom(row: SessionRow, now: number): Principal {
  const { id, user, how, statedGroups, createdAt } = row;
  const counts = statedGroups !== null && now < createdAt.getTime() + statedMs;
  return {
    kind: 'user',
    id: user,
    assertedGroups: counts ? statedGroups : [],
    assertedBy: counts ? how : null,
    tokenTenant: row.tokenTenant as TenantId | null, // A foreign key to ids whose shape is checked.
    authSource: 'browser',
    credentialId: `browser:${id.slice(0, 12)}`,
  };
}
