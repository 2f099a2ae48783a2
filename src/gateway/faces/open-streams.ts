import type { Clock } from '../../platform/clock.ts';
import type { CallStream } from './call-stream.ts';
import type { Reply } from './reply.ts';
import type { Session } from './sessions.ts';

interface Open {
  readonly controller: AbortController;
  /** Where the client can find the stream again; null when it cannot. */
  readonly session: Session | null;
}

/** Proxies give up on streams that are silent for a minute or so, in milliseconds. */
const keepAliveEvery = 15_000;
/** How long a lost or finished stream waits for its client to come back, in milliseconds. */
const patience = 60_000;
/** Finished streams of one session that are kept for it. */
const mostPerSession = 16;

/** Every event stream that is open: keeps them alive through proxies, and gives up those whose client stays away. */
export class OpenStreams {
  readonly #clock: Clock;
  readonly #calls = new Map<CallStream, Open & { doneAt: number | undefined }>();
  readonly #replies = new Set<Reply>();
  readonly #timer: NodeJS.Timeout;

  constructor(clock: Clock, everyMs = keepAliveEvery) {
    this.#clock = clock;
    this.#timer = setInterval(() => this.#tick(), everyMs);
    this.#timer.unref();
  }

  add(stream: CallStream, open: Open): void {
    this.#calls.set(stream, { ...open, doneAt: undefined });
    if (!open.session) return;
    const { streams } = open.session;
    streams.set(stream.id, stream);
    // Whoever makes many calls has long read the answers of the first ones.
    const [oldest] =
      streams.size > mostPerSession ? [...streams.values()].filter(({ isDone }) => isDone) : [];
    if (oldest) this.#drop(oldest, open);
  }

  keepAlive(reply: Reply): () => void {
    this.#replies.add(reply);
    return () => this.#replies.delete(reply);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { controller } of this.#calls.values()) controller.abort(new Error('the gate shuts down'));
    for (const reply of this.#replies) reply.end();
  }

  #tick(): void {
    for (const reply of this.#replies) reply.write(': keep-alive\n\n');
    const before = this.#clock() - patience;
    for (const [stream, open] of this.#calls) {
      stream.keepAlive();
      if (stream.isDone) open.doneAt ??= this.#clock();
      const isOver =
        open.session === null ? stream.isDone : (open.doneAt ?? Number.POSITIVE_INFINITY) < before;
      const isLost = stream.goneSince !== undefined && stream.goneSince < before;
      if (isLost && !stream.isDone) open.controller.abort(new Error('the client did not come back'));
      if (isOver || isLost) this.#drop(stream, open);
    }
  }

  #drop(stream: CallStream, open: Open): void {
    this.#calls.delete(stream);
    open.session?.streams.delete(stream.id);
  }
}
