import type { Log } from '../../platform/log.ts';
import type { RpcResponse } from '../rpc/message.ts';
import type { Topic } from '../upstreams/interests.ts';
import type { Target } from '../upstreams/target.ts';
import type { Following, Subscriptions } from './subscriptions.ts';

/** What became of a wish to follow a resource: `nobody` has it; `refused` holds the server's own words. */
export type Followed =
  | { readonly kind: 'followed'; readonly server: string }
  | { readonly kind: 'refused'; readonly response: RpcResponse }
  | { readonly kind: 'nobody' };

/** Whoever speaks for a session: a request of it, with the rights of its caller at each moment. */
export interface Asker {
  readonly capabilities: string;
  reach(server: string): Target | undefined;
  /** Follows the resource where it is. Throws a Refusal when the server cannot be asked. */
  follow(following: Following, uri: string): Promise<Followed>;
}

/** The standalone stream of a session, as far as news of resources go. */
export interface SessionStream {
  /** The URIs that the session follows; may change while the stream is open (see `ensure`). */
  readonly uris: ReadonlySet<string>;
  notify(method: string, rawParams: string | undefined): void;
}

interface Open {
  readonly following: Following;
  /** Where each URI was found. */
  readonly servers: Map<string, string>;
  /** The request that opened the stream, else the one that subscribed. */
  asker: Asker;
  stream: SessionStream | undefined;
  /** Runs while there is no stream. */
  leaving: NodeJS.Timeout | undefined;
}

/** How long a session that listens nowhere may still come back, in milliseconds. */
const patience = 60_000;

/**
 * Which resources each legacy session follows from this process. A session follows from wherever its stream is open;
 * without one, for a minute after it subscribed or lost its stream.
 */
export class SessionFollowings {
  readonly #subscriptions: Subscriptions;
  readonly #log: Log;
  readonly #open = new Map<string, Open>();
  readonly #streams = new Map<string, { readonly asker: Asker; readonly stream: SessionStream }>();

  constructor(subscriptions: Subscriptions, log: Log) {
    this.#subscriptions = subscriptions;
    this.#log = log;
  }

  get size(): number {
    return this.#open.size;
  }

  /** `resources/subscribe` of a session. Throws a Refusal when the server cannot be asked. */
  async follow(asker: Asker, session: string, uri: string): Promise<Followed> {
    const open = this.#of(session, asker);
    const followed = await asker.follow(open.following, uri);
    if (followed.kind === 'followed') open.servers.set(uri, followed.server);
    return followed;
  }

  /** `resources/unsubscribe`; a URI that is not followed needs nothing done. */
  unfollow(session: string, uri: string): void {
    const open = this.#open.get(session);
    const server = open?.servers.get(uri);
    if (!open || server === undefined) return;
    open.servers.delete(uri);
    open.following.drop(server, topicOf(uri));
  }

  /**
   * The session's stream is open in this process: what it subscribed to is followed from here, as long as it is.
   * Returns what to call when it closes.
   */
  attach(asker: Asker, session: string, stream: SessionStream): () => void {
    const attached = { asker, stream };
    this.#streams.set(session, attached);
    const open = this.#open.get(session);
    if (open) listen(open, attached);
    void this.ensure(session);
    return () => {
      if (this.#streams.get(session) !== attached) return;
      this.#streams.delete(session);
      const left = this.#open.get(session);
      if (left) this.#leave(session, left);
    };
  }

  /**
   * Makes sure that what the session's stream in this process names in `uris` is followed, and nothing else: for a
   * process that learns of a subscription which came in elsewhere. Never rejects.
   */
  async ensure(session: string): Promise<void> {
    const attached = this.#streams.get(session);
    if (!attached) return;
    const { asker, stream } = attached;
    if (stream.uris.size === 0 && !this.#open.has(session)) return;
    const open = this.#of(session, asker);
    for (const uri of open.servers.keys()) if (!stream.uris.has(uri)) this.unfollow(session, uri);
    for (const uri of stream.uris) {
      if (open.servers.has(uri)) continue;
      await this.follow(asker, session, uri).catch((error: unknown) =>
        this.#log.info({ err: error }, 'a resource of a session could not be followed'),
      );
    }
  }

  /** The session is over, or may not be believed any more. */
  end(session: string): void {
    const open = this.#open.get(session);
    clearTimeout(open?.leaving);
    open?.following.close();
    this.#open.delete(session);
    this.#streams.delete(session);
  }

  close(): void {
    for (const session of this.#open.keys()) this.end(session);
  }

  #of(session: string, asker: Asker): Open {
    const found = this.#open.get(session);
    if (found) return found;
    const following = this.#subscriptions.open({
      prefer: 'legacy',
      capabilities: asker.capabilities,
      reach: (server) => made.asker.reach(server),
      notify: ({ method, rawParams }) => made.stream?.notify(method, rawParams),
    });
    const made: Open = { following, servers: new Map(), asker, stream: undefined, leaving: undefined };
    this.#open.set(session, made);
    const attached = this.#streams.get(session);
    if (attached) listen(made, attached);
    else this.#leave(session, made);
    return made;
  }

  #leave(session: string, open: Open): void {
    open.stream = undefined;
    clearTimeout(open.leaving);
    open.leaving = setTimeout(() => this.end(session), patience).unref();
  }
}

function listen(open: Open, { asker, stream }: { asker: Asker; stream: SessionStream }): void {
  clearTimeout(open.leaving);
  open.leaving = undefined;
  open.asker = asker;
  open.stream = stream;
}

function topicOf(uri: string): Topic {
  return { kind: 'resources', id: uri };
}
