import { UpstreamError } from '../connectors/contract.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

/** One connection of the pool. */
export interface Entry {
  readonly key: string;
  readonly target: Target;
  readonly upstream: Upstream;
}

export interface Room {
  /** Most connections in all, and to one server. */
  readonly maxConnections: number;
  readonly maxPerServer: number;
}

const maxVariants = 8;

/**
 * The connection that has to go before there may be one more to the target: the one that was idle longest. Undefined
 * while there is room. Throws `busy` when none is idle: the newcomer is refused.
 */
export function inTheWay(all: readonly Entry[], target: Target, room: Room): Entry | undefined {
  const crowd = crowdAround(all, target, room);
  if (!crowd) return undefined;
  const [oldest] = crowd
    .filter(({ upstream }) => upstream.inFlight === 0 && upstream.interests.isEmpty)
    .sort((a, b) => a.upstream.lastUsedAt - b.upstream.lastUsedAt);
  if (oldest) return oldest;
  const message = `The server "${target.server.id}" has as many connections as it may have; try again in a moment.`;
  throw new UpstreamError('busy', message);
}

/** The connections among which one must go before a new one is made; undefined while there is room. */
function crowdAround(
  all: readonly Entry[],
  target: Target,
  { maxConnections, maxPerServer }: Room,
): readonly Entry[] | undefined {
  // The same server with the same credentials, once for each kind of client: nobody needs many of these.
  const variants = all.filter((entry) => entry.target.key === target.key);
  if (variants.length >= maxVariants) return variants;
  const own = all.filter((entry) => entry.target.server.id === target.server.id);
  if (own.length >= maxPerServer) return own;
  return all.length >= maxConnections ? all : undefined;
}
