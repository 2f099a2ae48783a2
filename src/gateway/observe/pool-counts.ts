import type { PoolState } from '../upstreams/pool.ts';

export interface PoolCounts {
  /** All of them, processes included. */
  readonly connections: number;
  readonly processes: number;
  /** Requests to servers under way. */
  readonly inFlight: number;
}

export function poolCounts({ entries }: PoolState): PoolCounts {
  return {
    connections: entries.length,
    processes: entries.filter(({ target }) => target.server.definition.type === 'stdio').length,
    inFlight: entries.reduce((sum, { upstream }) => sum + upstream.inFlight, 0),
  };
}
