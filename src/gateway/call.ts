import type { Principal } from '../access/contract.ts';
import type { Rights, Snapshot, SnapshotServer, Tenant } from '../access/index.ts';
import type { Outcome } from '../audit/contract.ts';
import type { Recorder } from '../audit/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Bus } from '../platform/bus/contract.ts';
import type { Clock } from '../platform/clock.ts';
import type { Turn } from '../platform/http/server.ts';
import type { Log } from '../platform/log.ts';
import type { Span } from '../platform/tracing/tracer.ts';
import type { Sealer } from '../platform/sealer.ts';
import type { Vault } from '../secrets/index.ts';
import type { Audience } from './audience.ts';
import type { ParkedCalls } from './bridge/parked-calls.ts';
import type { Offer } from './connect/offer.ts';
import type { ConnectParts } from './connect/connect-parts.ts';
import type { Hub } from './hub.ts';
import type { LimitSettings } from './limits/limit.ts';
import type { Limits } from './limits/limits.ts';
import type { ListStore } from './lists/list-store.ts';
import type { ListViews } from './lists/view.ts';
import type { MetaSettings, ToolMode } from './meta/mode.ts';
import type { LocalMetaTool } from './meta/tools.ts';
import type { ToolIndexes } from './meta/tool-indexes.ts';
import type { Observed } from './observe/observed.ts';
import type { Pins } from './pins.ts';
import type { RpcMessage, RpcNotification, RpcRequest, RpcResponse } from './rpc/message.ts';
import type { LogLevel } from './rpc/log-level.ts';
import type { Era } from './rpc/protocol.ts';
import type { SessionFollowings } from './subscriptions/session-followings.ts';
import type { Subscriptions } from './subscriptions/subscriptions.ts';
import type { TaskIds } from './tasks/task-ids.ts';
import type { ClientAnswer } from './upstreams/outgoing.ts';
import type { ResultPages } from './shaping/result-pages.ts';
import type { PoolLimits, UpstreamPool } from './upstreams/pool.ts';
import type { Target } from './upstreams/target.ts';

/** Northbound interfaces: the columns of the pipeline. */
export type Face = 'stream' | 'sse' | 'openapi' | 'servers' | 'webui';

/** Which MCP URL was called. */
export interface CallPath {
  /** `/t/{tenant}/…`, else null. */
  readonly tenant: string | null;
  /** `/mcp/{server}`, else null for the merged endpoint. */
  readonly server: string | null;
  /** `/g/{group}/…` shows what this group grants and no more; else null. */
  readonly group: string | null;
  /** For records: `/mcp/{server}`, never the raw path. */
  readonly template: string;
  /** As it came, without the query. */
  readonly raw: string;
}

/** What the face lets the other steps do towards the client while the call runs. */
export interface ClientSide {
  notify(message: RpcNotification): void;
  /** Asks the client; absent where the client cannot be asked. */
  readonly ask?: ((request: RpcRequest) => Promise<ClientAnswer>) | undefined;
  readonly onPrimed?: (() => void) | undefined;
  readonly onPaused?: (() => void) | undefined;
  /** Throws when what this server keeps for the caller's session alone is in another process. */
  readonly hold?: ((target: Target) => void) | undefined;
}

/** One request on its way through the pipeline. Steps fill in what they find; the next ones rely on it. */
export interface Call {
  readonly face: Face;
  readonly requestId: string;
  readonly startedAt: number;
  readonly path: CallPath;
  readonly httpMethod: string;
  /** `Mcp-Param-*` headers, which go on unchanged. */
  paramHeaders: Readonly<Record<string, string>> | undefined;
  readonly header: (name: string) => string | undefined;
  readonly clientIp: string;
  /** Aborted when the caller is gone, cancels, or the deadline passes. */
  readonly controller: AbortController;
  /**
   * Proves who is calling in another way than by the request's own credential: a sealed link, or another process that
   * has checked the credential. Throws like `Identity.authenticate`.
   */
  readonly proof: (() => Principal) | undefined;
  /**
   * The access token of an issuer that the caller came with, for servers whose own token it is exchanged for; undefined
   * for any other credential. It stays in the headers of the request: it is kept, recorded and passed on nowhere.
   */
  readonly subjectToken: () => string | undefined;
  /** Reads and parses the body; set by the face. */
  readonly readMessage: (call: Call) => Promise<void> | void;
  /** Set by the face whose requests go on to Open WebUI, which has callers that nobody knows: how they are told apart and passed on. */
  readonly passing: Passing | undefined;
  /** The request that the call came in, when it is still to be counted against its address. */
  readonly turn: Turn | undefined;
  readonly client: ClientSide;

  // Each is set by the step of its name.
  principal: Principal | undefined;
  snapshot: Snapshot;
  rights: Rights | undefined;
  era: Era;
  message: RpcMessage | undefined;
  /** Set by the face, from the URL and what the client says of itself. */
  mode: ToolMode;
  audience: Audience;
  /** What the client calls itself, in this request or when its session began. */
  clientName: string | undefined;
  /** The client's capabilities as JSON text. */
  capabilities: string;
  /** Session of the legacy era. */
  session: string | null;
  /** What the session, or the modern request, wants to hear of logs; see `hears()` for what none means. */
  logLevel: LogLevel | undefined;
  tenant: Tenant | null;
  servers: readonly SnapshotServer[];
  targets: readonly Target[];
  /** The tool as its server knows it. */
  tool: string | null;
  /** Set when the call is one to a tool of the gate itself, which is answered here. */
  metaTool: LocalMetaTool | null;
  /** It is one to `connect_account`, which is answered here, too. */
  connects: boolean;
  /** The caller has to connect an account before the call can go on. */
  offer: Offer | null;
  /** Body of an HTTP route, as it came; `checkArguments` makes arguments of it. */
  httpBody: string | undefined;
  /** Params to send instead of the caller's: a merged name has become the server's own. */
  rawParams: string | undefined;
  response: RpcResponse | LocalResult | undefined;

  // For the record.
  outcome: Outcome;
  reason: string | null;
  status: number;
  bytesIn: number;
  /** It counts for its limits, or was refused by one of them. */
  isCounted: boolean;
  /** Ends its place among the calls under way. */
  leave: (() => void) | undefined;
  /** Where the answer is not kept in `response`. */
  bytesOut: number;
  /** Its part of a trace, once somebody needs it. */
  span: Span | undefined;
}

/** A request that is passed on whole, and what of it is for the steps. */
export interface Passing {
  /** Sets principal, rights and tenant where the caller is known. Throws when the caller may not go on. */
  identify(call: Call, gate: Gate): Promise<void> | void;
  /** Is it one that costs something, so that it counts against its caller's limit? */
  readonly isCostly: boolean;
  /** Passes the request on; resolves when the answer is complete, or a socket is open. */
  relay(call: Call): Promise<void>;
}

/** A result that the gate made itself. */
export interface LocalResult {
  readonly kind: 'local';
  /** JSON text of the result. */
  readonly rawResult: string;
  /** The same in UTF-8, in parts, where it is long and much of it is the same for many: nobody needs the text then. */
  readonly parts?: readonly Buffer[];
}

/** What the steps work with. */
export interface Gate {
  readonly snapshot: () => Snapshot;
  readonly identity: Identity;
  readonly vault: Vault;
  readonly recorder: Recorder;
  readonly limits: Limits;
  readonly pool: UpstreamPool;
  /** Of servers that nobody has installed yet: no picture knows them, so none ends their connections. */
  readonly probes: UpstreamPool;
  readonly lists: ListStore;
  readonly views: ListViews;
  readonly hub: Hub;
  readonly subscriptions: Subscriptions;
  readonly followings: SessionFollowings;
  readonly tasks: TaskIds;
  readonly pins: Pins;
  /** Calls of modern clients that wait for answers to what a legacy server asked. */
  readonly parked: ParkedCalls;
  /** People's accounts at servers, and how they connect them. */
  readonly connect: ConnectParts;
  readonly resultPages: ResultPages;
  readonly toolIndexes: ToolIndexes;
  readonly bus: Bus;
  /** Those who watch from outside: metrics and traces. */
  readonly observed: Observed;
  readonly sealerFor: (purpose: string) => Sealer;
  readonly settings: GateSettings;
  readonly log: Log;
  readonly clock: Clock;
}

export interface GateSettings {
  /** Items on one page of a list. */
  readonly pageSize: number;
  /** How long a list waits for servers that were never seen, in milliseconds. */
  readonly listDeadlineMs: number;
  readonly maxBodyBytes: (face: Face) => number;
  /** As they are at the moment; null: nothing is limited. */
  readonly rateLimits: () => LimitSettings | null;
  /** Bounds of connections, as they are at the moment; absent: the usual ones. */
  readonly limits?: () => PoolLimits;
  /** As they are at the moment: the config file may change. */
  readonly metaTools: () => MetaSettings;
}

/** Who reaches a server, at one moment. */
export type Reaching = Pick<
  Call,
  'snapshot' | 'principal' | 'rights' | 'tenant' | 'session' | 'subjectToken'
>;

/** The request that a step needs; faces put it there before the pipeline goes on. */
export function requestOf(call: Call): RpcRequest {
  if (call.message?.kind !== 'request') throw new Error('this step needs a request');
  return call.message;
}

/** Who is calling; set by the first step. */
export function principalOf(call: Pick<Call, 'principal'>): Principal {
  if (!call.principal) throw new Error('authenticate has not run');
  return call.principal;
}

export function rightsOfCall(call: Pick<Call, 'rights'>): Rights {
  if (!call.rights) throw new Error('resolveTenant has not run');
  return call.rights;
}
