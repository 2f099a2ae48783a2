import type { Log } from '../../platform/log.ts';
import { UpstreamError } from '../connectors/contract.ts';
import type { RpcNotification, RpcResponse } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import type { Topic } from '../upstreams/interests.ts';
import { withoutSubscription } from '../upstreams/own-subscription.ts';
import type { Connection } from '../upstreams/pool.ts';
import type { Target } from '../upstreams/target.ts';
import type { Upstream } from '../upstreams/upstream.ts';

/** Somebody who wants to hear of single resources or tasks. */
export interface Follower {
  readonly prefer: Era;
  readonly capabilities: string;
  /** The server as this one reaches it at this moment; undefined: it may not hear of the topic, or not any more. */
  reach(server: string, topic: Topic): Target | undefined;
  /** `message` names the resource or task as the server does. */
  notify(message: RpcNotification, topic: Topic, server: string): void;
}

/** Where connections come from. */
export interface FollowedServers {
  connect(target: Target, prefer: Era, capabilities: string, signal?: AbortSignal): Promise<Connection>;
}

/** One topic on one connection, and everyone who follows it there. */
interface Held {
  readonly key: string;
  readonly target: Target;
  readonly upstream: Upstream;
  readonly topic: Topic;
  readonly followers: Set<Following>;
  /** Resolves with the server's refusal, if it refuses. */
  readonly asked: Promise<RpcResponse | undefined>;
}

interface Place {
  readonly server: string;
  readonly topic: Topic;
  readonly held: Held;
}

/** Topics of one follower, and of all together, at one time. */
export const mostTopics = 1_000;
const mostInAll = 100_000;
const recheckEvery = 2_000;

/**
 * Who follows which resource or task of which server. Each server is asked once for each of them, whatever the
 * number of followers, and is told when the last one has gone.
 */
export class Subscriptions {
  readonly #servers: FollowedServers;
  readonly #log: Log;
  readonly #held = new Map<string, Held>();
  readonly #followings = new Set<Following>();
  readonly #timer: NodeJS.Timeout;

  constructor(servers: FollowedServers, log: Log) {
    this.#servers = servers;
    this.#log = log;
    this.#timer = setInterval(() => this.recheck(), recheckEvery);
    this.#timer.unref();
  }

  /** How many topics are followed at servers. */
  get size(): number {
    return this.#held.size;
  }

  open(follower: Follower): Following {
    const following = new Following(follower, this);
    this.#followings.add(following);
    return following;
  }

  /** A server announced that a resource or a task changed. */
  announce(target: Target, connection: string, kind: Topic['kind'], message: RpcNotification): void {
    const id = message.params?.[kind === 'tasks' ? 'taskId' : 'uri'];
    if (typeof id !== 'string') return;
    const plain = withoutSubscription(message);
    const told = new Set<Following>();
    for (const topic of topicsOf(kind, id)) {
      for (const following of this.#held.get(keyOf(connection, topic))?.followers ?? []) {
        if (!told.has(following)) following.tell(target, topic, plain);
        told.add(following);
      }
    }
  }

  /** Nobody heard the server for a while: each of its resources may have changed. */
  missed(connection: string): void {
    for (const held of this.#held.values()) {
      if (held.key.startsWith(`${connection} `) && held.topic.kind === 'resources') tellAll(held);
    }
  }

  /** After a change of rights, addresses or credentials: what is followed is what may be followed, where it is now. */
  recheck(): void {
    for (const following of this.#followings) {
      for (const place of following.places()) this.#recheck(following, place);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#followings.clear();
    this.#held.clear();
  }

  /** Resolves with the server's refusal, if it refuses; rejects when the server cannot be asked. */
  async follow(
    following: Following,
    { target, topic }: { target: Target; topic: Topic },
    signal: AbortSignal | undefined,
  ): Promise<{ refused: RpcResponse | undefined; held: Held }> {
    const { prefer, capabilities } = following.follower;
    const connection = await this.#servers.connect(target, prefer, capabilities, signal);
    const held = this.#hold(connection, target, topic);
    held.followers.add(following);
    try {
      const refused = await held.asked;
      if (refused) this.release(following, held);
      return { refused, held };
    } catch (error) {
      this.release(following, held);
      throw error;
    }
  }

  release(following: Following, held: Held): void {
    held.followers.delete(following);
    if (held.followers.size > 0 || this.#held.get(held.key) !== held) return;
    this.#held.delete(held.key);
    if (!held.upstream.isClosed) void held.upstream.interests.unfollow(held.topic);
  }

  forget(following: Following): void {
    this.#followings.delete(following);
  }

  #hold({ key: connection, upstream }: Connection, target: Target, topic: Topic): Held {
    const key = keyOf(connection, topic);
    const found = this.#held.get(key);
    if (found?.upstream === upstream) return found;
    if (this.#held.size >= mostInAll)
      throw new UpstreamError('busy', 'The gate follows as many resources as it can; try again later.');
    const asked = upstream.interests.follow(topic);
    asked.catch(() => undefined);
    const held: Held = { key, target, upstream, topic, followers: new Set(), asked };
    this.#held.set(key, held);
    return held;
  }

  #recheck(following: Following, { server, topic, held }: Place): void {
    const target = following.follower.reach(server, topic);
    if (target?.key === held.target.key && !held.upstream.isClosed) return;
    following.drop(server, topic);
    if (!target) return;
    following.follow(server, target, topic).then(
      // What happened between the two nobody heard.
      (refused) => {
        if (!refused && topic.kind === 'resources') following.tell(target, topic, updated(topic));
      },
      (error: unknown) => {
        this.#log.debug({ server, err: error }, 'a resource could not be followed anew');
      },
    );
  }
}

/** What one follower follows. */
export class Following {
  readonly follower: Follower;
  readonly #all: Subscriptions;
  readonly #places = new Map<string, Place>();
  #closed = false;

  constructor(follower: Follower, all: Subscriptions) {
    this.follower = follower;
    this.#all = all;
  }

  get size(): number {
    return this.#places.size;
  }

  places(): Place[] {
    return [...this.#places.values()];
  }

  has(server: string, topic: Topic): boolean {
    return this.#places.has(placeOf(server, topic));
  }

  /** Resolves with the server's refusal, if it refuses; rejects when it cannot be asked. */
  async follow(
    server: string,
    target: Target,
    topic: Topic,
    signal?: AbortSignal,
  ): Promise<RpcResponse | undefined> {
    if (this.has(server, topic)) return undefined;
    if (this.#places.size >= mostTopics)
      throw new UpstreamError('busy', `No more than ${mostTopics} resources can be followed at a time.`);
    const { refused, held } = await this.#all.follow(this, { target, topic }, signal);
    if (refused) return refused;
    const key = placeOf(server, topic);
    const before = this.#places.get(key);
    if (before && before.held !== held) this.#all.release(this, before.held);
    // It may have gone while the server was asked.
    if (this.#closed) this.#all.release(this, held);
    else this.#places.set(key, { server, topic, held });
    return undefined;
  }

  drop(server: string, topic: Topic): void {
    const key = placeOf(server, topic);
    const place = this.#places.get(key);
    if (!place) return;
    this.#places.delete(key);
    this.#all.release(this, place.held);
  }

  /** Passes news on, if the follower still reaches the server in the way that they came. */
  tell(target: Target, topic: Topic, message: RpcNotification): void {
    const server = target.server.id;
    if (this.follower.reach(server, topic)?.key === target.key) this.follower.notify(message, topic, server);
  }

  close(): void {
    this.#closed = true;
    for (const { held } of this.#places.values()) this.#all.release(this, held);
    this.#places.clear();
    this.#all.forget(this);
  }
}

function tellAll({ target, topic, followers }: Held): void {
  for (const following of followers) following.tell(target, topic, updated(topic));
}

function updated({ id }: Topic): RpcNotification {
  const params = { uri: id };
  return {
    kind: 'notification',
    method: 'notifications/resources/updated',
    params,
    rawParams: JSON.stringify(params),
  };
}

/** Levels of a URI that are looked at. */
const mostParts = 64;

/** What an announcement is about: where a part of a resource has changed, so has the resource (server/resources.mdx). */
function topicsOf(kind: Topic['kind'], id: string): Topic[] {
  if (kind === 'tasks') return [{ kind, id }];
  const ids = [id];
  let at = id.lastIndexOf('/');
  for (; at > 0 && ids.length < mostParts; at = id.lastIndexOf('/', at - 1))
    ids.push(id.slice(0, at + 1), id.slice(0, at));
  return [...new Set(ids)].map((one) => ({ kind, id: one }));
}

function keyOf(connection: string, { kind, id }: Topic): string {
  return `${connection} ${kind} ${id}`;
}

function placeOf(server: string, { kind, id }: Topic): string {
  return `${server} ${kind} ${id}`;
}
