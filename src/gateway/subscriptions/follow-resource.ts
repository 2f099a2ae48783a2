import { rightsOf } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { findOwner } from '../lists/owner.ts';
import { upstreamFailed } from '../refusals.ts';
import type { Target } from '../upstreams/target.ts';
import { reachWhole } from './reach.ts';
import type { Asker, Followed } from './session-followings.ts';
import type { Following } from './subscriptions.ts';

/** Speaks for the session of a call, with what the caller may do at each moment. */
export function askerOf(call: Call, gate: Gate): Asker {
  return {
    capabilities: call.capabilities,
    reach: (server) => reachWhole(call, gate, server),
    follow: (following, uri) => followResource(call, gate, following, uri),
  };
}

/**
 * Follows a resource at the server that has it, found as for `resources/read`. `call` says who wants it, at this
 * moment. Throws a Refusal when the server cannot be asked, and what `hold` throws.
 */
export async function followResource(
  call: Call,
  gate: Gate,
  following: Following,
  uri: string,
): Promise<Followed> {
  const target = await placeOf(call, gate, uri);
  if (!target) return { kind: 'nobody' };
  // Another process of a server that is one session's own would tell of resources that are not the session's.
  call.client.hold?.(target);
  const server = target.server.id;
  const topic = { kind: 'resources', id: uri } as const;
  const refused = await following
    .follow(server, target, topic, call.controller.signal)
    .catch((error: unknown) => {
      throw upstreamFailed(server, error);
    });
  return refused ? { kind: 'refused', response: refused } : { kind: 'followed', server };
}

/**
 * The server that has it: the one in the path, the one that lists it, or the only one that has resources at all. Others
 * are not asked in turn, as for reading: many say yes to any URI.
 */
async function placeOf(call: Call, gate: Gate, uri: string): Promise<Target | undefined> {
  const { server } = call.path;
  if (server !== null) return reachWhole(call, gate, server);
  const { servers } = rightsOf(gate.snapshot(), principalOf(call), gate.clock());
  const targets = servers.flatMap((id) => reachWhole(call, gate, id) ?? []);
  const known = targets.map((target) => gate.lists.peek(target, call.era, call.capabilities));
  const { listDeadlineMs } = gate.settings;
  await gate.lists.settle(known, listDeadlineMs);
  const owner = await findOwner(uri, known, gate.lists, listDeadlineMs);
  const able = known.filter(({ hello }) => hello !== undefined && 'resources' in hello.capabilities);
  return owner ?? (able.length === 1 ? able[0]?.target : undefined);
}
