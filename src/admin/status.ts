import type { Mount } from '../platform/http/server.ts';
import { sendJson } from '../platform/http/server.ts';
import { monitors } from './monitors.ts';

/** A part of Toolgate that does not work as it should, and what that means for people. */
export interface Degraded {
  readonly part: string;
  readonly since: Date | null;
  /** One sentence: what still works and what does not. */
  readonly meaning: string;
}

export interface StatusDeps {
  readonly version: string;
  readonly startedAt: number;
  readonly clock: () => number;
  /** Parts that are degraded now; asks the database, so it may take as long as its deadline. */
  readonly degraded: () => Promise<readonly Degraded[]>;
  /** `METRICS_TOKEN`: whoever may read the metrics is told which servers cannot be reached. */
  readonly token: string | undefined;
  readonly publicUrl: string;
  /** True once shutting down: no new work should come here. */
  readonly leaving: () => boolean;
}

/**
 * `GET /gateway/health`: the process answers. `GET /gateway/ready`: what is degraded, since when and what it means;
 * 200 as long as calls are served, degraded or not, and 503 while shutting down.
 */
export function statusMount(deps: StatusDeps): Mount {
  const refusalOf = monitors(deps);
  return {
    takes: (path) => path === '/gateway/health' || path === '/gateway/ready',
    async serve(req, res, { path }) {
      const uptimeSeconds = Math.round((deps.clock() - deps.startedAt) / 1000);
      if (path === '/gateway/health')
        return sendJson(res, 200, { status: 'healthy', version: deps.version, uptimeSeconds });
      if (deps.leaving()) return sendJson(res, 503, { status: 'shutting_down', degraded: [] });
      const all = await deps.degraded();
      const degraded = refusalOf(req) === undefined ? all : unnamed(all);
      return sendJson(res, 200, { status: degraded.length === 0 ? 'ready' : 'degraded', degraded });
    },
  };
}

/** That a server exists is nothing for everybody. */
function unnamed(degraded: readonly Degraded[]): Degraded[] {
  const isServer = ({ part }: Degraded) => part.startsWith('server ');
  const servers = degraded.filter(isServer);
  const others = degraded.filter((one) => !isServer(one));
  const times = servers.flatMap(({ since }) => (since ? [since.getTime()] : []));
  if (servers.length === 0) return others;
  const meaning = `Servers that cannot be reached: ${servers.length}. Which, is for whoever may read the metrics.`;
  return [
    ...others,
    { part: 'servers', since: times.length > 0 ? new Date(Math.min(...times)) : null, meaning },
  ];
}
