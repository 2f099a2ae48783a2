import { type Call, type Gate, principalOf } from '../call.ts';
import type { ListKind } from '../lists/kinds.ts';
import { type LogLevel, reaches } from '../rpc/log-level.ts';
import { authenticate } from '../steps/authenticate.ts';
import { resolveTenant } from '../steps/resolve-tenant.ts';
import { askerOf } from '../subscriptions/follow-resource.ts';
import { reach } from '../subscriptions/reach.ts';

/** What a stream wants to hear, and how it is told. */
export interface Wish {
  /** Session of the legacy era. */
  readonly session: string | null;
  readonly kinds: ReadonlySet<ListKind>;
  /** Resources of the session by URI; may change while the stream is open. */
  readonly uris: ReadonlySet<string>;
  /** The level that the session set; absent: this stream takes no log messages. */
  readonly logLevel?: () => LogLevel | undefined;
  notify(method: string, rawParams: string | undefined): void;
  end(): void;
  readonly leave?: () => void;
}

/**
 * Lets the stream that a call opened hear of changes for as long as it is open. What it may hear is decided anew
 * each time, as if it had been opened at that moment. Returns how to leave.
 */
export function subscribe(call: Call, gate: Gate, wish: Wish): () => void {
  const { session, logLevel } = wish;
  const leave = gate.hub.add({
    principal: principalOf(call),
    session,
    kinds: wish.kinds,
    keyOf: (server) => reach(call, gate, server)?.key,
    notify: wish.notify,
    hears: (level) => {
      if (!logLevel) return false;
      const wanted = logLevel();
      return wanted === undefined || reaches(level, wanted);
    },
    end() {
      // Its credential no longer counts, so neither does what it followed.
      if (session !== null) gate.followings.end(session);
      wish.end();
    },
    leave: wish.leave,
    check: checkOf(call, gate),
  });
  const detach = session === null ? undefined : gate.followings.attach(askerOf(call, gate), session, wish);
  return () => {
    leave();
    detach?.();
  };
}

/**
 * An event stream that answers a request ends, like any other, soon after its caller's credential. Returns how to
 * leave.
 */
export function watch(call: Call, gate: Gate, end: () => void): () => void {
  // The call is under way, and goes on with what it was let through with.
  return gate.hub.watch({ principal: principalOf(call), check: checkOf({ ...call }, gate), end });
}

/** Who the caller is, found out anew; throws when that is somebody else, nobody, or in another tenant. */
function checkOf(call: Call, gate: Gate): () => Promise<void> {
  const tenant = call.tenant?.id;
  return async () => {
    await authenticate(call, gate);
    resolveTenant(call, gate);
    if (call.tenant?.id !== tenant) throw new Error('the active tenant is another one than before');
  };
}
