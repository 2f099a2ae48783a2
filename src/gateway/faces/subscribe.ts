import { type Call, type Gate, principalOf } from '../call.ts';
import type { ListKind } from '../lists/kinds.ts';
import { targetOf } from '../steps/attach-credentials.ts';
import { authenticate } from '../steps/authenticate.ts';
import { resolveTenant } from '../steps/resolve-tenant.ts';

/** What a stream wants to hear, and how it is told. */
export interface Wish {
  /** Session of the legacy era. */
  readonly session: string | null;
  readonly kinds: ReadonlySet<ListKind>;
  /** Resources by URI; may change while the stream is open. */
  readonly uris: ReadonlySet<string>;
  notify(method: string, rawParams: string | undefined): void;
  end(): void;
}

/**
 * Lets the stream that a call opened hear of changes for as long as it is open. What it may hear is decided anew
 * each time, as if it had been opened at that moment. Returns how to leave.
 */
export function subscribe(call: Call, gate: Gate, wish: Wish): () => void {
  const tenant = call.tenant?.id;
  return gate.hub.add({
    principal: principalOf(call),
    session: wish.session,
    kinds: wish.kinds,
    uris: wish.uris,
    keyOf: (server) => keyOf(call, gate, server),
    notify: wish.notify,
    end: wish.end,
    async check() {
      await authenticate(call, gate);
      resolveTenant(call, gate);
      if (call.tenant?.id !== tenant) throw new Error('the active tenant is another one than before');
    },
  });
}

/** The same server at another address, through another credential or for another session is another server. */
function keyOf(call: Call, gate: Gate, id: string): string | undefined {
  if (call.path.server !== null && call.path.server !== id) return undefined;
  const server = call.snapshot.servers.get(id);
  if (!server || !call.rights?.servers.includes(server.id)) return undefined;
  return targetOf(call, gate, server)?.key;
}
