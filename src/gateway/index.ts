// The data plane: MCP requests come in on the faces, pass the pipeline, and go out through the connectors.
import { LRUCache } from 'lru-cache';
import type { Access, Snapshot } from '../access/index.ts';
import type { Recorder } from '../audit/index.ts';
import type { ToolPins } from '../catalog/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Bus } from '../platform/bus/contract.ts';
import type { NetGuard } from '../platform/net-guard.ts';
import type { Sealer } from '../platform/sealer.ts';
import type { Mount } from '../platform/http/server.ts';
import type { Vault } from '../secrets/index.ts';
import type { BridgeLimits } from './bridge/limits.ts';
import { ParkedCalls } from './bridge/parked-calls.ts';
import type { Gate, GateSettings } from './call.ts';
import { createFaces } from './faces/faces.ts';
import { OpenStreams } from './faces/open-streams.ts';
import { Sessions } from './faces/sessions.ts';
import { Hub } from './hub.ts';
import { createLimiter } from './limiter.ts';
import { ListStore } from './lists/list-store.ts';
import { kindsChangedBy } from './lists/kinds.ts';
import type { NameClash } from './lists/shown-tools.ts';
import { ListViews } from './lists/view.ts';
import { ToolIndexes } from './meta/tool-indexes.ts';
import { LivePins } from './pins.ts';
import { ResultPages } from './shaping/result-pages.ts';
import { ListNews } from './relay/list-news.ts';
import type { Relay } from './relay/relay.ts';
import { SessionRelay } from './relay/session-relay.ts';
import { StreamRelay } from './relay/stream-relay.ts';
import { SessionFollowings } from './subscriptions/session-followings.ts';
import { Subscriptions } from './subscriptions/subscriptions.ts';
import { TaskIds } from './tasks/task-ids.ts';
import { UpstreamPool } from './upstreams/pool.ts';
import type { Surroundings } from './upstreams/target.ts';
import { definitionKey } from './upstreams/target.ts';
import { warmUp } from './upstreams/warm-up.ts';

export { resourceMetadataMount } from './faces/resource-metadata.ts';
export { gatewayRoutes } from './routes.ts';
export { createAddressLimit } from './limiter.ts';
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
  /** Which definitions of tools are accepted. */
  readonly toolPins: ToolPins;
  /** The other processes of this installation. */
  readonly bus: Bus;
  /** Bounds of parked calls, where they are not the usual ones. */
  readonly bridgeLimits?: Partial<BridgeLimits> | undefined;
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
    onUnsolicited: (target, key, message) => {
      const { method } = message;
      const kinds = kindsChangedBy(message);
      if (kinds.length > 0) {
        lists.changed(key, kinds);
        relay.lists.announce(target, key, kinds);
      } else if (method === 'notifications/resources/updated')
        subscriptions.announce(target, key, 'resources', message);
      else if (method === 'notifications/tasks') subscriptions.announce(target, key, 'tasks', message);
      else if (method === 'notifications/message') hub.logged(target, message);
    },
    onGap: (_target, key) => {
      lists.outdated(key);
      subscriptions.missed(key);
    },
  });
  const subscriptions = new Subscriptions(pool, o.log);
  const followings = new SessionFollowings(subscriptions, o.log);
  const lists = new ListStore(pool, o.log, o.clock);
  const pins = new LivePins(o.toolPins, lists, hub);
  const resultPages = new ResultPages({ bus: o.bus, sealer: o.sealerFor('result-page'), clock: o.clock });
  const sessions = new Sessions(o.sealerFor('mcp-session'), o.clock);
  const streams = new OpenStreams(o.clock);
  const relay = relayOf({ ...o, sessions, pool, followings, lists, hub });
  const parked = new ParkedCalls({
    ...{ bus: o.bus, log: o.log, clock: o.clock, limits: o.bridgeLimits },
    sealer: o.sealerFor('request-state'),
  });
  const gate: Gate = {
    ...o,
    snapshot,
    pool,
    lists,
    hub,
    subscriptions,
    followings,
    tasks: new TaskIds(o.sealerFor('task'), o.clock),
    pins,
    resultPages,
    toolIndexes: new ToolIndexes(),
    views: new ListViews(o.settings.pageSize, pins, tellClashes(o.log)),
    limiter: createLimiter(o.clock),
    parked,
  };
  const faces = createFaces({ gate, sessions, streams, relay });
  const stopFollowing = o.access.live.onChange((changed) => {
    pool.apply(changed);
    warmUp(gate);
    hub.recheck();
    subscriptions.recheck();
  });
  const stopTelling = lists.onChange((target, kinds) => hub.listsChanged(target, kinds));
  warmUp(gate);

  return {
    gate,
    takes: (path) => faces.takes(path),
    serve: (req, res, arrival) => faces.serve(req, res, arrival),
    unreachable: () => unreachable(lists, snapshot(), o.clock()),
    counts: () => ({ connections: pool.size, sessions: sessions.size, subscribers: hub.size }),
    endStreams: () => hub.close(),
    async close() {
      stopFollowing();
      stopTelling();
      faces.close();
      streams.close();
      for (const part of Object.values(relay)) part.close();
      hub.close();
      followings.close();
      subscriptions.close();
      pins.close();
      resultPages.close();
      lists.close();
      parked.close();
      await pool.close();
    },
  };
}

const mostTold = 1_000;

/** A name that cannot be used is told once, not for each list that it is missing from. */
function tellClashes(log: Log): (server: string, clash: NameClash) => void {
  const told = new LRUCache<string, true>({ max: mostTold });
  return (server, { tool, name }) => {
    const key = JSON.stringify([server, tool, name]);
    if (told.has(key)) return;
    told.set(key, true);
    log.warn(
      { server, tool, name },
      'a tool keeps its own name, because another one has the name it should get',
    );
  };
}

/** What this process hears from the others, and tells them. */
function relayOf(
  o: Pick<Gate, 'bus' | 'clock' | 'pool' | 'followings' | 'lists' | 'hub'> & { sessions: Sessions },
): Relay {
  const { bus, clock, sessions, pool, followings, lists, hub } = o;
  const onEnded = (session: string) => {
    pool.endSession(session);
    followings.end(session);
  };
  const onFollows = (session: string) => void followings.ensure(session);
  return {
    sessions: new SessionRelay({ bus, clock, sessions, onEnded, onFollows }),
    streams: new StreamRelay({ bus, clock, sessions }),
    lists: new ListNews(bus, ({ server, target, key, kinds }) => {
      // Whoever listens here may have seen the list elsewhere.
      if (!lists.changed(key, kinds)) hub.listsChanged({ key: target, server: { id: server } }, kinds);
    }),
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
