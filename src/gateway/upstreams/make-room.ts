import { defaultMaxConnections } from '../../access/contract.ts';
import { UpstreamError } from '../connectors/contract.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

/** One connection of the pool. */
export interface Entry {
  readonly key: string;
  readonly target: Target;
  readonly upstream: Upstream;
  /** The person or program for whose sake it was made; undefined: the gate's own. */
  readonly holder: string | undefined;
}

export interface Room {
  /** Most connections over HTTP at one time, all servers together. */
  readonly connections: number;
  /** Most processes, which cost far more. */
  readonly processes: number;
}

/** What a new connection would be. */
export type Newcomer = Pick<Entry, 'target' | 'holder'>;

/** Connections with the same credentials, once for each kind of client: nobody needs many of these. */
const maxVariants = 8;
/** What one person may hold: a part of what there is for a server, and of all. */
const shareOfVariants = 3;
const shareOfServer = 4;
const shareOfAll = 10;

/** A bound, and the connections that count towards it. */
interface Bound {
  readonly crowd: readonly Entry[];
  readonly most: number;
  /** One sentence for whoever is refused. */
  readonly refusal: string;
}

/**
 * The connection that has to go before there may be one more: the one that was idle longest among those that are too
 * many. Undefined while there is room. Throws `busy` when none of them is idle: the newcomer is refused.
 */
export function inTheWay(all: readonly Entry[], newcomer: Newcomer, room: Room): Entry | undefined {
  const bound = boundsOf(all, newcomer, room).find(({ crowd, most }) => crowd.length >= most);
  if (!bound) return undefined;
  const [oldest] = bound.crowd
    .filter(({ upstream }) => upstream.inFlight === 0 && upstream.interests.isEmpty)
    .sort((a, b) => a.upstream.lastUsedAt - b.upstream.lastUsedAt);
  if (oldest) return oldest;
  throw new UpstreamError('busy', bound.refusal);
}

/** A person's own bounds first, so that what gives way is their own. */
function boundsOf(all: readonly Entry[], { target, holder }: Newcomer, room: Room): Bound[] {
  const { id, definition } = target.server;
  const isProcess = definition.type === 'stdio';
  const variants = all.filter((entry) => entry.target.key === target.key);
  const ofServer = all.filter((entry) => entry.target.server.id === id);
  const ofKind = all.filter((entry) => (entry.target.server.definition.type === 'stdio') === isProcess);
  const forServer = definition.maxConnections ?? defaultMaxConnections;
  const inAll = isProcess ? room.processes : room.connections;
  const noun = isProcess ? 'processes' : 'connections';
  const server = `The server "${id}"`;
  return [
    ...sharesOf(holder, [
      [variants, shareOfVariants, maxVariants, `kinds of clients at ${server}`],
      [ofServer, Math.ceil(forServer / shareOfServer), forServer, `${noun} to ${server}`],
      [ofKind, Math.ceil(inAll / shareOfAll), inAll, `${noun} of the gate`],
    ]),
    bound(variants, maxVariants, `${server} is used by as many kinds of clients at a time as it may be`),
    bound(ofServer, forServer, `${server} has as many ${noun} as it may have`),
    bound(ofKind, inAll, `The gate has as many ${noun} as it may have`),
  ];
}

type Shared = readonly [crowd: readonly Entry[], share: number, most: number, what: string];

function sharesOf(holder: string | undefined, shared: readonly Shared[]): Bound[] {
  if (holder === undefined) return [];
  return shared.map(([crowd, share, most, what]) => ({
    crowd: crowd.filter((entry) => entry.holder === holder),
    most: share,
    refusal: `Your calls under way use ${share} of the ${most} ${what.replace('The server', 'the server')}, which is as many as one person may use; try again when some of them have ended.`,
  }));
}

function bound(crowd: readonly Entry[], most: number, what: string): Bound {
  return { crowd, most, refusal: `${what} (${most}); try again in a moment.` };
}
