import type { Bus } from '../../platform/bus/contract.ts';
import type { Clock } from '../../platform/clock.ts';
import type { CallStream, LastEvent, Pulled } from '../faces/call-stream.ts';
import { eventText, type Reply } from '../faces/reply.ts';
import type { Session, Sessions } from '../faces/sessions.ts';
import { gateCode } from '../rpc/protocol.ts';
import { errorText } from '../rpc/message.ts';
import { count, listOf, text, topicOf, yesNo } from './topic.ts';
import { streamPart } from './topics.ts';

/** How long the process that holds a stream waits for something to tell, in milliseconds. */
const waitFor = 5_000;
/** How long a question and its answer may be on their way, in milliseconds. */
const onTheWay = 3_000;
/** Characters in one answer: a slow client makes the process with the stream wait, not fill its memory. */
const mostInPart = 512 * 1024;

const part = topicOf('', {
  events: listOf(topicOf('', { seq: count, text, isWhole: yesNo }).read),
  isDone: yesNo,
  /** The client shall leave and come back later. */
  isPaused: yesNo,
});
type Part = NonNullable<ReturnType<typeof part.read>>;

/**
 * A stream that was lost and taken up again at another process than the one that holds it. The process with the
 * client asks for one part after the other: each question is a sign of life of the one, each answer of the other,
 * and a lost message costs one more question.
 */
export class StreamRelay {
  readonly #bus: Bus;
  readonly #stop: () => void;

  constructor({ bus, sessions, clock }: { bus: Bus; sessions: Sessions; clock: Clock }) {
    this.#bus = bus;
    this.#stop = bus.answer(streamPart.name, async (value): Promise<Part | null> => {
      const asked = streamPart.read(value);
      const stream = asked && streamOf(sessions, asked);
      // Not this caller's and not there look the same.
      if (!asked || !stream) return null;
      return partOf(await stream.pull(asked.after, Math.min(asked.wait, waitFor), clock), asked.offset);
    });
  }

  /** Serves the rest of a stream to the client. Ends with an error for its request when nobody holds it any more. */
  async follow(reply: Reply, session: Session, last: LastEvent): Promise<void> {
    reply.stream();
    const state = { after: last.seq, begun: '', seq: 0, wait: 0 };
    while (!reply.isOver) {
      const next = await this.#ask(session, last, state);
      if (reply.isOver) return;
      if (!next || !write(reply, last.stream, next, state)) return lost(reply, last);
      if (next.isDone || next.isPaused) return reply.end();
      state.wait = waitFor;
      await reply.drained();
    }
  }

  close(): void {
    this.#stop();
  }

  async #ask(session: Session, last: LastEvent, state: State): Promise<Part | undefined> {
    // It would hold it itself.
    if (last.node === this.#bus.node) return undefined;
    const { name, principal } = session;
    const { after, begun, wait } = state;
    const question = { session: name, principal, stream: last.stream, after, offset: begun.length, wait };
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await this.#bus
        .ask(last.node, streamPart.name, question, wait + onTheWay)
        .catch(() => undefined); // NoAnswer: it is gone, or one of the two messages was lost.
      if (answer !== undefined) return part.read(answer);
    }
    return undefined;
  }
}

interface State {
  /** The last event that the client has. */
  after: number;
  /** What has arrived of the next one, and its number. */
  begun: string;
  seq: number;
  /** How long the other process may wait for something to tell: at first it shows that it is there. */
  wait: number;
}

/** False when the rest of an event that has begun is gone. */
function write(reply: Reply, stream: string, { events }: Part, state: State): boolean {
  for (const event of events) {
    if (state.begun !== '' && state.seq !== event.seq) return false;
    state.begun += event.text;
    state.seq = event.seq;
    if (!event.isWhole) continue;
    reply.write(eventText(state.begun, `${stream}_${event.seq}`));
    state.after = event.seq;
    state.begun = '';
  }
  return true;
}

/** The request is lost with the process that had it. A client would wait for its answer until it gives up. */
function lost(reply: Reply, { rawId }: LastEvent): void {
  const message =
    'The process that worked on this request is gone, and its answer with it; send the request again.';
  if (rawId !== null)
    reply.write(eventText(errorText(rawId, JSON.stringify({ code: gateCode.unavailable, message }))));
  reply.end();
}

function streamOf(
  sessions: Sessions,
  { session, principal, stream }: { session: string; principal: string; stream: string },
): CallStream | undefined {
  const found = sessions.named(session);
  return found?.principal === principal ? found.streams.get(stream) : undefined;
}

/** As much as fits, from `offset` of the first event on. */
function partOf({ events, isDone, isPaused }: Pulled, offset: number): Part {
  const taken: Part['events'][number][] = [];
  let room = mostInPart;
  for (const [at, event] of events.entries()) {
    if (room <= 0) break;
    const from = at === 0 ? offset : 0;
    const piece = event.text.slice(from, from + room);
    room -= piece.length;
    taken.push({ seq: event.seq, text: piece, isWhole: from + piece.length >= event.text.length });
  }
  const isAll = taken.length === events.length && (taken.at(-1)?.isWhole ?? true);
  return { events: taken, isDone: isDone && isAll, isPaused: isPaused && isAll };
}
