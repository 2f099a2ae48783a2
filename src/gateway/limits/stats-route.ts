import { type Route, route } from '../../platform/contract.ts';
import { api } from '../contract.ts';
import type { ReplicaStats } from './replica-stats.ts';

/** Who calls most, what was refused, and how full the limits are. */
export function limitStatsRoute(stats: ReplicaStats): Route {
  return route(api.getLimitStats, () => stats.all());
}
