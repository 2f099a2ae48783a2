// The data plane: MCP requests come in on the faces, pass the pipeline, and go out through the connectors.
import type { Principal } from '../access/contract.ts';
import type { Access, WithheldQuestion } from '../access/index.ts';
import type { Recorder } from '../audit/index.ts';
import type { ToolPins } from '../catalog/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Bus } from '../platform/bus/contract.ts';
import type { NetGuard } from '../platform/net-guard.ts';
import type { Sealer } from '../platform/sealer.ts';
import type { Mount } from '../platform/http/server.ts';
import type { Accounts, Exchanges, Vault } from '../secrets/index.ts';
import type { BridgeLimits } from './bridge/limits.ts';
import { ParkedCalls } from './bridge/parked-calls.ts';
import type { Gate, GateSettings } from './call.ts';
import { type ConnectWaits, createConnectParts } from './connect/connect-parts.ts';
import type { SignCaller } from './connect/signed-callers.ts';
import { createFaces } from './faces/faces.ts';
import { OpenStreams } from './faces/open-streams.ts';
import { Sessions } from './faces/sessions.ts';
import { Hub } from './hub.ts';
import { Limits } from './limits/limits.ts';
import { ReplicaStats } from './limits/replica-stats.ts';
import type { SharedCounts } from './limits/shared-counts.ts';
import { ListStore } from './lists/list-store.ts';
import { kindsChangedBy } from './lists/kinds.ts';
import { tellClashes } from './lists/tell-clashes.ts';
import { ListViews } from './lists/view.ts';
import { ToolIndexes } from './meta/tool-indexes.ts';
import { createObserved, type ObservedOptions } from './observe/observed.ts';
import { type PoolCounts, poolCounts } from './observe/pool-counts.ts';
import { LivePins } from './pins.ts';
import { ResultPages } from './shaping/result-pages.ts';
import { ListNews } from './relay/list-news.ts';
import type { Relay } from './relay/relay.ts';
import { SessionRelay } from './relay/session-relay.ts';
import { StreamRelay } from './relay/stream-relay.ts';
import { SessionFollowings } from './subscriptions/session-followings.ts';
import { Subscriptions } from './subscriptions/subscriptions.ts';
import { TaskIds } from './tasks/task-ids.ts';
import { type PoolLimits, type PoolOptions, UpstreamPool } from './upstreams/pool.ts';
import type { StdioSettings } from './upstreams/stdio-house.ts';
import type { Surroundings } from './upstreams/destination.ts';
import { warmUp } from './upstreams/warm-up.ts';
import { triedWhenRunnerIsBack, type Unreachable, unreachable } from './unreachable.ts';
import { withheld } from './withheld.ts';

export { templateOf } from './faces/paths.ts';
export { resourceMetadataMount } from './faces/resource-metadata.ts';
export { probe } from './probe.ts';
export { gatewayRoutes } from './routes.ts';
export { runnerRoute } from './runner-route.ts';
export { RemoteRunner } from './runner/remote-runner.ts';
export { stateRoutes } from './state-routes.ts';
export { wantedKeys } from './wanted-keys.ts';
export { addressDoor } from './limits/limits.ts';
export type { LimitSettings } from './limits/limit.ts';
export { redisCounts } from './limits/shared-counts.ts';
export { PrimaryCounts } from './limits/primary-counts.ts';
export { WorkerCounts } from './limits/worker-counts.ts';
export { limitStatsRoute } from './limits/stats-route.ts';
export type { Gate, GateSettings } from './call.ts';
export type { ObservedOptions } from './observe/observed.ts';
export { accountServerFor } from './connect/account-of.ts';
export { connectMount } from './connect/account-routes.ts';
export { openWebUiMount, type OpenWebUiMount } from './openwebui/mount.ts';
export { signingKeysMount } from './openwebui/signing-keys.ts';
export type { StdioSettings } from './upstreams/stdio-house.ts';

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
  /** People's accounts at servers. */
  readonly accounts: Accounts;
  readonly exchanges: Exchanges;
  /** Tells servers who is calling; absent: none is told. */
  readonly sign?: SignCaller | undefined;
  readonly publicUrl: string;
  /** What all replicas count together; absent: this process counts alone. */
  readonly sharedCounts?: SharedCounts | null;
  /** Absent: nobody watches from outside. */
  readonly observe?: ObservedOptions | undefined;
  /** How long calls wait for people to connect, where it is not the usual time. */
  readonly connectWaits?: Partial<ConnectWaits> | undefined;
  /** Bounds of parked calls, where they are not the usual ones. */
  readonly bridgeLimits?: Partial<BridgeLimits> | undefined;
  /** Silent streams get a comment each time that this has passed, where it is not the usual time. */
  readonly keepAliveMs?: number | undefined;
  readonly projectDir: string;
  /** Which commands may be run, and where. */
  readonly stdio: StdioSettings;
  readonly around: Surroundings;
  readonly log: Log;
  readonly clock: Clock;
}

export interface GatewayCounts extends PoolCounts {
  readonly sessions: number;
  readonly subscribers: number;
  readonly parked: number;
}

export interface Gateway extends Mount {
  readonly gate: Gate;
  readonly limitStats: ReplicaStats;
  /** Servers that cannot be reached at the moment, for /gateway/ready. */
  unreachable(): readonly Unreachable[];
  /** Why nobody gets a tool that rights would give; undefined: nothing but rights decides. For administrators. */
  withheld(question: WithheldQuestion): string | undefined;
  /** Numbers for operators. */
  counts(): GatewayCounts;
  /** Ends the streams of those who only listen, so that a shut-down need not wait for them. */
  leave(): void;
  /** Answers calls that are still under way: their servers are let go of. */
  giveUp(): void;
  close(): Promise<void>;
}

const probeLimits: PoolLimits = { connections: 8, processes: 8, idleMs: 60_000 };
const usualLimits: PoolLimits = { connections: 1_000, processes: 200, idleMs: 300_000 };

export function createGateway(o: GatewayOptions): Gateway {
  const parts = createParts(o);
  const { gate, sessions } = parts;
  const { pool, lists, hub, snapshot } = gate;
  const faces = createFaces(parts);
  const limitStats = new ReplicaStats(gate.bus, gate.limits);
  const stopFollowing = o.access.live.onChange((changed) => {
    pool.apply(changed);
    void warmUp(gate);
    hub.recheck();
    gate.subscriptions.recheck();
  });
  const stopTelling = lists.onChange((target, kinds) => hub.listsChanged(target, kinds));
  const stopConnecting = o.accounts.onChange(() => {
    hub.recheckLists();
    gate.subscriptions.recheck();
  });
  void warmUp(gate);
  return {
    gate,
    limitStats,
    countsRequests: true,
    takes: (path) => faces.takes(path),
    serve: (req, res, arrival) => faces.serve(req, res, arrival),
    withheld: (question) => withheld({ snapshot, toolPins: o.toolPins }, question),
    unreachable: () => unreachable(gate, snapshot(), o.clock()),
    counts: () => ({
      ...poolCounts(pool.states()),
      ...{ sessions: sessions.size, subscribers: hub.size, parked: gate.parked.size },
    }),
    leave: () => hub.leave(),
    giveUp: () => void pool.close(),
    close() {
      stopFollowing();
      stopTelling();
      stopConnecting();
      faces.close();
      limitStats.close();
      return closeParts(parts);
    },
  };
}

type Parts = ReturnType<typeof createParts>;

/** Everything that lives as long as the gateway. */
function createParts(o: GatewayOptions) {
  const { access, log, clock, bus, sealerFor } = o;
  const snapshot = () => access.snapshot();
  const hub = new Hub(snapshot, clock, log, (principal) => accountsOf(o.accounts, principal));
  const dialing = {
    log,
    clock,
    netGuard: o.netGuard,
    projectDir: o.projectDir,
    around: o.around,
    ...o.stdio,
  };
  const pool = new UpstreamPool({
    ...dialing,
    limits: o.settings.limits ?? (() => usualLimits),
    ...hearing(() => ({ lists, relay, subscriptions, hub })),
  });
  triedWhenRunnerIsBack(o.stdio, pool);
  const nobody = { onUnsolicited: () => undefined, onGap: () => undefined };
  const probes = new UpstreamPool({ ...dialing, ...nobody, limits: () => probeLimits });
  const subscriptions: Subscriptions = new Subscriptions(pool, log);
  const followings = new SessionFollowings(subscriptions, log);
  const lists: ListStore = new ListStore(pool, log, clock);
  const pins = new LivePins(o.toolPins, lists, hub);
  const resultPages = new ResultPages({ bus, sealer: sealerFor('result-page'), clock });
  const sessions = new Sessions(sealerFor('mcp-session'), clock);
  const streams = new OpenStreams(clock, o.keepAliveMs);
  const relay: Relay = relayOf({ bus, clock, sessions, pool, followings, lists, hub });
  const sealer = sealerFor('request-state');
  const parked = new ParkedCalls({ bus, log, clock, limits: o.bridgeLimits, sealer });
  const gate: Gate = {
    ...o,
    observed: createObserved(o.observe),
    ...{ snapshot, pool, probes, lists, hub, subscriptions, followings, pins, resultPages, parked },
    connect: createConnectParts({ ...o, waits: o.connectWaits }),
    tasks: new TaskIds(sealerFor('task'), clock),
    toolIndexes: new ToolIndexes(),
    views: new ListViews(o.settings.pageSize, pins, tellClashes(log)),
    limits: new Limits({ clock, shared: o.sharedCounts ?? null }),
  };
  return { gate, sessions, streams, relay, pins };
}

/** Those who are asked first, then those who would answer them; the connections to the servers last. */
async function closeParts({ gate, streams, relay, pins }: Parts): Promise<void> {
  streams.close();
  for (const part of Object.values(relay)) part.close();
  gate.hub.close();
  gate.followings.close();
  gate.subscriptions.close();
  pins.close();
  gate.resultPages.close();
  gate.lists.close();
  gate.parked.close();
  await Promise.all([gate.pool.close(), gate.probes.close(), gate.limits.close()]);
}

/** What a server says that answers nobody goes to whom it concerns. */
function hearing(
  hearers: () => Pick<Gate, 'lists' | 'subscriptions' | 'hub'> & { readonly relay: Relay },
): Pick<PoolOptions, 'onUnsolicited' | 'onGap' | 'onOpened'> {
  return {
    onUnsolicited(target, key, message) {
      const { lists, relay, subscriptions, hub } = hearers();
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
    onGap(_target, key) {
      const { lists, subscriptions } = hearers();
      lists.outdated(key);
      subscriptions.missed(key);
    },
    onOpened: (key) => hearers().lists.opened(key),
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

function accountsOf(accounts: Accounts, { kind, id }: Principal): string {
  if (kind !== 'user') return '';
  const all = accounts.listFor(id);
  return all.length === 0
    ? ''
    : JSON.stringify(all.map(({ tenant, server, state }) => [tenant, server, state]));
}
