import type { Bus } from '../../platform/bus/contract.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Call } from '../call.ts';
import { cancelCall, cancelledRequest, clientAnswerIn, deliverAnswer } from '../faces/legacy.ts';
import type { Session, Sessions } from '../faces/sessions.ts';
import { sessionLost } from '../faces/wire-answers.ts';
import { logLevelOf } from '../rpc/log-level.ts';
import type { RpcNotification, RpcResponse } from '../rpc/message.ts';
import type { Target } from '../upstreams/target.ts';
import { hear, tell, tellAll } from './topic.ts';
import {
  sessionAnswer,
  sessionCancelled,
  sessionEnded,
  sessionListens,
  sessionMissed,
  sessionState,
} from './topics.ts';

/** Resources that one session may follow. */
const mostFollowed = 1_000;

interface Change {
  readonly follows?: readonly string[];
  readonly unfollows?: readonly string[];
}

export interface SessionRelayOptions {
  readonly bus: Bus;
  readonly sessions: Sessions;
  /** A session is over: ends what else this process has of it. */
  readonly onEnded: (session: string) => void;
  /** A session follows other resources than before, because of something said to another process. */
  readonly onFollows: (session: string) => void;
  readonly clock: Clock;
}

/**
 * What a client says about a session reaches every process that it concerns, wherever it landed. Each message names
 * the principal, and the process that acts on it compares that with the session's own.
 */
export class SessionRelay {
  readonly #bus: Bus;
  readonly #sessions: Sessions;
  readonly #onEnded: (session: string) => void;
  readonly #onFollows: (session: string) => void;
  readonly #startedAt: number;
  readonly #stops: readonly (() => void)[];

  constructor({ bus, sessions, onEnded, onFollows, clock }: SessionRelayOptions) {
    this.#bus = bus;
    this.#sessions = sessions;
    this.#onEnded = onEnded;
    this.#onFollows = onFollows;
    this.#startedAt = clock();
    sessions.onRestored = (session) => this.#askForMissed(session);
    this.#stops = [
      hear(bus, sessionAnswer, ({ session, principal, rawId, rawResult, rawError }) => {
        const own = this.#own(session, principal);
        if (own && rawResult !== null) deliverAnswer(own, rawId, { rawResult });
        else if (own && rawError !== null) deliverAnswer(own, rawId, { rawError });
      }),
      hear(bus, sessionCancelled, ({ session, principal, rawId }) => {
        const own = this.#own(session, principal);
        if (own) cancelCall(own, rawId);
      }),
      hear(bus, sessionListens, ({ session, principal }) => this.#own(session, principal)?.endStream?.()),
      hear(bus, sessionEnded, ({ session, principal }) => {
        // It may be one that has not been used here yet, and must not be from now on.
        const known = this.#sessions.named(session);
        if (!known || known.principal === principal) this.#endHere(session);
      }),
      hear(bus, sessionState, (state, from) => this.#learn(state, from)),
      hear(bus, sessionMissed, ({ id, principal }, from) => {
        const known = this.#sessions.known(id, principal);
        if (known && hasState(known)) tell(this.#bus, from, sessionState, this.#stateOf(known, known));
      }),
    ];
  }

  /** What a client says that asks for nothing. Only of one that may speak: it may cost every process a message. */
  hear(session: Session, message: RpcNotification | RpcResponse): void {
    if (message.kind === 'response') this.#answered(session, message);
    else this.#notified(session, message);
  }

  /** The client's answer to a server's request goes to the process that waits for it. */
  #answered(session: Session, response: RpcResponse): void {
    const { rawId } = response;
    if (rawId === null) return;
    const answer = clientAnswerIn(response);
    const node = nodeIn(rawId);
    if (node === undefined || node === this.#bus.node) return deliverAnswer(session, rawId, answer);
    const rawResult = 'rawResult' in answer ? answer.rawResult : null;
    const rawError = 'rawError' in answer ? answer.rawError : null;
    return tell(this.#bus, node, sessionAnswer, { ...ofSession(session), rawId, rawResult, rawError });
  }

  /** A cancelled call that is not here is somewhere else, or over. */
  #notified(session: Session, message: RpcNotification): void {
    const rawId = cancelledRequest(message);
    if (rawId === undefined || cancelCall(session, rawId)) return;
    tellAll(this.#bus, sessionCancelled, { ...ofSession(session), rawId });
  }

  /** After a request went through: what it says about the session itself. */
  remember(session: Session, { message, response }: Call): void {
    const failed = response === undefined || (response.kind === 'response' && response.error !== undefined);
    if (message?.kind !== 'request' || failed) return;
    const { method, params } = message;
    const uri = params?.['uri'];
    if (method === 'logging/setLevel') this.#change(session, {}, () => setLevel(session, params?.['level']));
    else if (typeof uri !== 'string') return;
    else if (method === 'resources/subscribe') this.#follow(session, uri);
    else if (method === 'resources/unsubscribe') this.#unfollow(session, uri);
  }

  /**
   * A server that keeps something for this session alone does so in one process. Throws the 404 that lets the client
   * begin again (2025-11-25 basic/transports.mdx#session-management) when that is, or may have been, another one.
   */
  hold(session: Session, { server, scope }: Target): void {
    if (server.definition.type !== 'stdio' || scope !== `session:${session.name}`) return;
    const holder = session.holders.get(server.id);
    if (holder === this.#bus.node) return;
    // A process that is younger than the session cannot know what the one before it held.
    if (holder !== undefined || session.createdAt < this.#startedAt) throw sessionLost();
    this.#change(session, {}, () => session.holders.set(server.id, this.#bus.node));
  }

  /** The session's standalone stream is here now. */
  listens(session: Session): void {
    tellAll(this.#bus, sessionListens, ofSession(session));
  }

  end(session: Session): void {
    this.#endHere(session.name);
    tellAll(this.#bus, sessionEnded, ofSession(session));
  }

  close(): void {
    this.#sessions.onRestored = undefined;
    for (const stop of this.#stops) stop();
  }

  #follow(session: Session, uri: string): void {
    if (session.uris.size >= mostFollowed || session.uris.has(uri)) return;
    this.#change(session, { follows: [uri] }, () => session.uris.add(uri));
  }

  #unfollow(session: Session, uri: string): void {
    this.#change(session, { unfollows: [uri] }, () => session.uris.delete(uri));
  }

  #change(session: Session, { follows = [], unfollows = [] }: Change, apply: () => void): void {
    apply();
    tellAll(this.#bus, sessionState, this.#stateOf(session, { uris: follows, unfollows }));
  }

  #stateOf(
    session: Session,
    { uris, unfollows = [] }: { uris: Iterable<string>; unfollows?: readonly string[] },
  ) {
    const { id, principal, logLevel = null, holders } = session;
    const holds = [...holders].flatMap(([server, node]) => (node === this.#bus.node ? [server] : []));
    return { id, principal, logLevel, follows: [...uris], unfollows, holds };
  }

  #learn(state: NonNullable<ReturnType<typeof sessionState.read>>, from: string): void {
    const session = this.#sessions.find(state.id, state.principal);
    if (!session) return;
    session.logLevel = state.logLevel ?? session.logLevel;
    for (const uri of state.follows) if (session.uris.size < mostFollowed) session.uris.add(uri);
    for (const uri of state.unfollows) session.uris.delete(uri);
    for (const server of state.holds) this.#learnHolder(session, server, from);
    if (state.follows.length + state.unfollows.length > 0) this.#onFollows(session.name);
  }

  /** Two that began at the same moment: all agree on the one whose name comes first. */
  #learnHolder({ holders }: Session, server: string, node: string): void {
    const holder = holders.get(server);
    if (holder === undefined || node < holder) holders.set(server, node);
  }

  #askForMissed({ id, principal, createdAt }: Session): void {
    if (createdAt < this.#startedAt) tellAll(this.#bus, sessionMissed, { id, principal });
  }

  #own(name: string, principal: string): Session | undefined {
    const session = this.#sessions.named(name);
    return session?.principal === principal ? session : undefined;
  }

  #endHere(name: string): void {
    this.#sessions.end(name);
    this.#onEnded(name);
  }
}

function ofSession({ name, principal }: Session) {
  return { session: name, principal };
}

function hasState({ uris, logLevel, holders }: Session): boolean {
  return uris.size > 0 || logLevel !== undefined || holders.size > 0;
}

function setLevel(session: Session, level: unknown): void {
  session.logLevel = logLevelOf(level) ?? session.logLevel;
}

/** The process that asked, from the id that it gave its question. */
function nodeIn(rawId: string): string | undefined {
  return /^"(\w{1,64})\./.exec(rawId)?.[1];
}
