import type { Snapshot } from '../access/index.ts';
import type { ListStore } from './lists/list-store.ts';
import type { UpstreamPool } from './upstreams/pool.ts';
import type { StdioSettings } from './upstreams/stdio-house.ts';
import { definitionKey, type Target } from './upstreams/target.ts';

export interface Unreachable {
  readonly server: string;
  readonly since: Date;
  readonly message: string;
}

/** What failed because the runner was away is not left alone for longer than the runner was away. */
export function triedWhenRunnerIsBack({ runner }: Pick<StdioSettings, 'runner'>, pool: UpstreamPool): void {
  runner?.onBack?.(() => {
    for (const { target } of pool.states().known)
      if (target.server.definition.type === 'stdio') pool.hurry(target);
  });
}

/** How long a failure that nobody has met again is believed, in milliseconds: its key may have been replaced. */
const failureTtl = 600_000;

/** Servers that cannot be used at the moment, each once: those whose lists failed, and those that are left alone. */
export function unreachable(
  o: { readonly lists: ListStore; readonly pool: UpstreamPool },
  snapshot: Snapshot,
  now: number,
): Unreachable[] {
  const found = new Map<string, Unreachable>();
  const add = ({ server }: Target, since: number, message: string) => {
    const current = snapshot.servers.get(server.id);
    // Each picture has objects of its own; equal definitions are the same server.
    const isCurrent = current !== undefined && definitionKey(current) === definitionKey(server);
    if (isCurrent && !found.has(server.id))
      found.set(server.id, { server: server.id, since: new Date(since), message });
  };
  for (const { failure, failedSince, freshUntil, target } of o.lists.all())
    if (failure && failedSince !== undefined && now - freshUntil <= failureTtl)
      add(target, failedSince, failure.message);
  for (const { target, standing } of o.pool.states().known) {
    const { since, nextTry } = standing.circuit;
    if (since !== undefined && nextTry !== undefined && now - nextTry <= failureTtl)
      add(target, since, standing.lastError?.message ?? 'It gives no answer.');
  }
  return [...found.values()];
}
