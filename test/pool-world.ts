// The connections of the gate by themselves, with a clock that a test moves.
import { type PoolOptions, UpstreamPool } from '../src/gateway/upstreams/pool.ts';
import { createLog } from '../src/platform/log.ts';
import { createNetGuard } from '../src/platform/net-guard.ts';

export function poolWorld(options: Partial<PoolOptions> = {}) {
  let now = 1_000_000;
  const pool = new UpstreamPool({
    log: createLog('silent'),
    clock: () => now,
    netGuard: createNetGuard({ allow: [] }),
    projectDir: process.cwd(),
    ...{ mayRun: () => true, runner: undefined, ownDirectories: process.cwd() },
    around: { env: {}, directory: process.cwd() },
    limits: () => ({ connections: 100, processes: 10, idleMs: 300_000 }),
    onUnsolicited: () => undefined,
    onGap: () => undefined,
    ...options,
  });
  const pass = (ms: number) => {
    now += ms;
  };
  return { pool, pass };
}
