import { hkdfSync } from 'node:crypto';
import type { Config, ConfigFile } from '../config.ts';
import { type GateSettings, type LimitSettings, redisCounts, WorkerCounts } from '../gateway/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { WorkerSide } from '../platform/workers/worker.ts';

/** What replicas count together, where there is a Redis to do it; workers by their primary; else each counts alone. */
export async function openSharedCounts(o: {
  redisUrl: string | undefined;
  /** The secret of the installation: the counts are kept under names that it makes. */
  key: Buffer;
  log: Log;
  clock: Clock;
  worker: WorkerSide | undefined;
}) {
  const { worker } = o;
  if (o.redisUrl === undefined)
    return worker ? new WorkerCounts((calls, ms) => worker.link.ask('limits', calls, ms), o.clock) : null;
  // Loaded by those who have one: it would make every other start slower.
  const { openRedisLink } = await import('../platform/redis/link.ts');
  const link = await openRedisLink(o.redisUrl, { purpose: 'rate limits', log: o.log, clock: o.clock });
  return redisCounts(link, Buffer.from(hkdfSync('sha256', o.key, '', 'toolgate limits', 32)));
}

/** The limits in force at the moment; null where nothing is limited. */
export function rateLimitsOf(
  config: Pick<Config, 'RATE_LIMIT_ENABLED' | 'RATE_LIMIT_PER_MINUTE' | 'RATE_LIMIT_PER_IP'>,
  file: () => ConfigFile,
): () => LimitSettings | null {
  if (!config.RATE_LIMIT_ENABLED) return () => null;
  const { RATE_LIMIT_PER_MINUTE: perUser, RATE_LIMIT_PER_IP: perAddress } = config;
  const settingsOf = ({ rateLimits }: ConfigFile) => ({
    of: rateLimits,
    settings: { ...rateLimits, perUser, perAddress },
  });
  let last = settingsOf(file());
  return () => {
    if (last.of !== file().rateLimits) last = settingsOf(file());
    return last.settings;
  };
}

/** Longest body of a request; faces that have no setting read none. */
export function bodyBytesOf(file: () => ConfigFile): GateSettings['maxBodyBytes'] {
  return (face) => {
    const { bodyBytes } = file().limits;
    return face === 'sse' || face === 'openapi' ? bodyBytes[face] : bodyBytes.stream;
  };
}
