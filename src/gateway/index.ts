// The data plane: MCP requests come in on the faces, pass the pipeline, and go out through the connectors.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access, Snapshot } from '../access/index.ts';
import type { Recorder } from '../audit/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Bus } from '../platform/bus/contract.ts';
import type { NetGuard } from '../platform/net-guard.ts';
import type { Sealer } from '../platform/sealer.ts';
import type { Arrival, Mount } from '../platform/http/server.ts';
import type { Vault } from '../secrets/index.ts';
import type { Gate, GateSettings } from './call.ts';
import { OpenStreams } from './faces/open-streams.ts';
import { parsePath } from './faces/paths.ts';
import { Sessions } from './faces/sessions.ts';
import { serveServers } from './faces/servers.ts';
import { serveStreamableHttp } from './faces/streamable-http.ts';
import { Hub } from './hub.ts';
import { createLimiter } from './limiter.ts';
import { ListStore } from './lists/list-store.ts';
import { kindsChangedBy } from './lists/kinds.ts';
import { ListViews } from './lists/view.ts';
import { nothingHeld } from './pins.ts';
import { UpstreamPool } from './upstreams/pool.ts';
import type { Surroundings } from './upstreams/target.ts';
import { definitionKey } from './upstreams/target.ts';
import { warmUp } from './upstreams/warm-up.ts';

export { resourceMetadataMount } from './faces/resource-metadata.ts';
export { gatewayRoutes } from './routes.ts';
export { createLimiter } from './limiter.ts';
export type { Gate } from './call.ts';

export interface GatewayOptions {
  readonly access: Access;
  readonly identity: Identity;
  readonly vault: Vault;
  readonly recorder: Recorder;
  readonly netGuard: NetGuard;
  readonly settings: GateSettings;
  /** Seals what leaves the process and comes back; what is sealed for one purpose opens for no other. */
  readonly sealerFor: (purpose: string) => Sealer;
  /** The other processes of this installation. */
  readonly bus: Bus;
  readonly projectDir: string;
  readonly around: Surroundings;
  readonly log: Log;
  readonly clock: Clock;
}

export interface Gateway extends Mount {
  readonly gate: Gate;
  /** Servers that cannot be reached at the moment, for /gateway/ready. */
  unreachable(): readonly { server: string; since: Date; message: string }[];
  /** Numbers for operators. */
  counts(): { connections: number; sessions: number; subscribers: number };
  /** Ends the streams of those who only listen, so that a shut-down need not wait for them. */
  endStreams(): void;
  close(): Promise<void>;
}

const maxConnections = 1_000;
const maxPerServer = 100;
const idleMs = 300_000;

export function createGateway(o: GatewayOptions): Gateway {
  const snapshot = () => o.access.snapshot();
  const hub = new Hub(snapshot, o.clock, o.log);
  const pool: UpstreamPool = new UpstreamPool({
    log: o.log,
    clock: o.clock,
    netGuard: o.netGuard,
    projectDir: o.projectDir,
    around: o.around,
    maxConnections,
    maxPerServer,
    idleMs,
    isHeld: (target) => hub.holds(target),
    onUnsolicited: (target, key, message) => {
      const kinds = kindsChangedBy(message);
      if (kinds.length > 0) lists.changed(key, kinds);
      else if (message.method === 'notifications/resources/updated')
        hub.resourceUpdated(target, String(message.params?.['uri']), message.rawParams);
    },
  });
  const lists = new ListStore(pool, o.log, o.clock);
  const sessions = new Sessions(o.sealerFor('mcp-session'), o.clock);
  const streams = new OpenStreams(o.clock);
  const gate: Gate = {
    ...o,
    snapshot,
    pool,
    lists,
    hub,
    pins: nothingHeld,
    views: new ListViews(o.settings.pageSize, nothingHeld),
    limiter: createLimiter(o.clock),
  };
  const stopFollowing = o.access.live.onChange((changed) => {
    pool.apply(changed);
    warmUp(gate);
    hub.recheck();
  });
  const stopTelling = lists.onChange((target, kinds) => hub.listsChanged(target, kinds));
  warmUp(gate);

  return {
    gate,
    takes: (path) => parsePath(path) !== undefined || path === '/servers',
    serve: (req: IncomingMessage, res: ServerResponse, arrival: Arrival) => {
      const path = parsePath(arrival.path);
      if (path === undefined) return serveServers(gate, req, res, arrival);
      return serveStreamableHttp({ gate, sessions, streams }, req, res, { ...arrival, path });
    },
    unreachable: () => unreachable(lists, snapshot(), o.clock()),
    counts: () => ({ connections: pool.size, sessions: sessions.size, subscribers: hub.size }),
    endStreams: () => hub.close(),
    async close() {
      stopFollowing();
      stopTelling();
      streams.close();
      hub.close();
      lists.close();
      await pool.close();
    },
  };
}

/** How long a failure that nobody has met again is believed, in milliseconds: its key may have been replaced. */
const failureTtl = 600_000;

function unreachable(lists: ListStore, snapshot: Snapshot, now: number): ReturnType<Gateway['unreachable']> {
  const found = new Map<string, { server: string; since: Date; message: string }>();
  for (const { failure, failedSince, freshUntil, target } of lists.all()) {
    const { id } = target.server;
    const server = snapshot.servers.get(id);
    // Each picture has objects of its own; equal definitions are the same server.
    const isCurrent = server !== undefined && definitionKey(server) === definitionKey(target.server);
    if (!failure || failedSince === undefined || !isCurrent || now - freshUntil > failureTtl) continue;
    found.set(id, found.get(id) ?? { server: id, since: new Date(failedSince), message: failure.message });
  }
  return [...found.values()];
}
