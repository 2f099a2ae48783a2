// A table: everything that the processes of one installation tell each other about legacy sessions and lists.
import { listKinds } from '../lists/kinds.ts';
import { logLevels } from '../rpc/log-level.ts';
import { count, listOf, nullOr, oneOf, text, topicOf } from './topic.ts';

/** Whose session a message is about. Every process checks it again, whoever sent the message. */
const ofSession = { session: text, principal: text };

/** A client's answer to a server's request, for the process that waits for it. */
export const sessionAnswer = topicOf('session.answer', {
  ...ofSession,
  rawId: text,
  rawResult: nullOr(text),
  rawError: nullOr(text),
});

/** The client cancelled a request that the sender knows nothing of. */
export const sessionCancelled = topicOf('session.cancelled', { ...ofSession, rawId: text });

/** The client opened its standalone stream at the sender: it has one, so any other is lost. */
export const sessionListens = topicOf('session.listens', ofSession);

/** The client ended the session. */
export const sessionEnded = topicOf('session.ended', ofSession);

/** What a session has said since it began; whoever has to do with it later needs to know. `id` is the sealed one. */
export const sessionState = topicOf('session.state', {
  id: text,
  principal: text,
  logLevel: nullOr(oneOf(...logLevels)),
  /** Resources that it follows from now on, and those that it no longer follows. */
  follows: listOf(text),
  unfollows: listOf(text),
  /** Servers that keep something for this session alone in the process that sends this. */
  holds: listOf(text),
});

/** A process that started after the session did asks the others what it has missed. */
export const sessionMissed = topicOf('session.missed', { id: text, principal: text });

/** Asks the process that holds a stream for what came after an event. The answer is a `StreamPart`. */
export const streamPart = topicOf('stream.part', {
  ...ofSession,
  stream: text,
  after: count,
  /** Characters of the event after that which have arrived already. */
  offset: count,
  /** How long to wait for something to tell, in milliseconds. */
  wait: count,
});

/** A server announced that lists have changed. `key` names its connection, which is the same in every process. */
export const listNews = topicOf('lists.changed', {
  server: text,
  target: text,
  key: text,
  kinds: listOf(oneOf(...listKinds)),
});
