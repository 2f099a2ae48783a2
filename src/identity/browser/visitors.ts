import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../platform/clock.ts';
import type { OwnCookie } from '../../platform/http/cookies.ts';
import type { Sealer } from '../../platform/sealer.ts';

/** A sign-in that a browser was sent away for. */
export interface Attempt {
  readonly issuer: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly returnTo: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** A browser that nobody is signed in with yet. */
export interface Visitor {
  readonly id: string;
  readonly attempts: readonly Attempt[];
}

/** How long somebody may take to sign in elsewhere, in milliseconds. */
const attemptMs = 15 * 60_000;
const mostAttempts = 4;
const visitSeconds = 60 * 60;
const longestCookie = 3_800;

/**
 * What a browser holds before anybody is signed in with it, sealed. A sign-in ends in the browser where it began, or
 * nowhere: otherwise somebody could have another person sign in as himself, and receive what that one connects.
 */
export interface Visitors {
  of(req: IncomingMessage): Visitor | undefined;
  made(): Visitor;
  /** Value of `Set-Cookie`. */
  cookie(visitor: Visitor): string;
  forget(): string;
  /** With one more attempt; the oldest make room. */
  trying(visitor: Visitor, attempt: Omit<Attempt, 'until'>): Visitor;
  /** The attempt that came back. */
  attempt(visitor: Visitor | undefined, state: string): Attempt | undefined;
}

export function createVisitors(o: { cookie: OwnCookie; sealer: Sealer; clock: Clock }): Visitors {
  const { cookie, sealer, clock } = o;
  return {
    of(req) {
      const held = cookie.read(req);
      const text = held === undefined || held.length > longestCookie ? undefined : sealer.open(held);
      if (text === undefined) return undefined;
      const parsed: unknown = JSON.parse(text);
      return parsed as Visitor; // sealed by `cookie` below alone
    },
    made: () => ({ id: randomBytes(24).toString('base64url'), attempts: [] }),
    cookie: (visitor) => cookie.set(sealer.seal(JSON.stringify(visitor)), visitSeconds),
    forget: () => cookie.clear(),
    trying({ id, attempts }, attempt) {
      const now = clock();
      const kept = attempts.filter(({ until }) => until > now).slice(1 - mostAttempts);
      return { id, attempts: [...kept, { ...attempt, until: now + attemptMs }] };
    },
    attempt(visitor, state) {
      const found = visitor?.attempts.find((one) => isSame(one.state, state));
      return found && clock() < found.until ? found : undefined;
    },
  };
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
