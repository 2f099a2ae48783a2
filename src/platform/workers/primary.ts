// The side of the primary: starts workers, starts them again when they die, and carries what they tell each other.
import cluster, { type Worker } from 'node:cluster';
import { within } from '../deadline.ts';
import { AppError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { Link } from './link.ts';
import type { Placement } from './worker.ts';

export interface PrimaryOptions {
  readonly count: number;
  readonly placementOf: (number: number) => Placement;
  /** Answers what workers ask, by topic; `worker` is the number of the one that does. */
  readonly answers: Readonly<Record<string, (message: unknown, worker: number) => unknown>>;
  /** One has ended, and whatever is kept for it is nobody's. */
  readonly ended?: (worker: number) => void;
  readonly log: Log;
  /** Between two starts of one that dies, at first and at last, in milliseconds. */
  readonly pause?: { readonly first: number; readonly longest: number };
}

/** One that has served as long as this did not fail at the start, in milliseconds. */
const provenAfter = 30_000;
/** How long workers have to answer what another one asks all of them, in milliseconds. */
const patience = 2_000;
/** Longest stop where nobody says another one, and what of it those need that are closed after the workers, in milliseconds. */
const usualStopMs = 10_000;
const restMs = 500;

interface Seat {
  readonly number: number;
  worker: Worker | undefined;
  link: Link | undefined;
  isReady: boolean;
  failures: number;
  awaySince: Date | null;
}

export class Primary {
  readonly #o: PrimaryOptions;
  readonly #seats: readonly Seat[];
  #isStopping = false;

  constructor(o: PrimaryOptions) {
    this.#o = o;
    this.#seats = Array.from({ length: o.count }, (_, at) => ({
      ...{ number: at + 1, worker: undefined, link: undefined },
      ...{ isReady: false, failures: 0, awaySince: null },
    }));
  }

  /** Starts the first worker, which puts everything in place, and then all others. Rejects when one cannot start. */
  async start(program: { readonly exec: string; readonly args: readonly string[] }): Promise<unknown> {
    // Each would take the next debugger's port otherwise, which may be no port at all.
    cluster.setupPrimary({ ...program, args: [...program.args], inspectPort: 0 });
    const [first, ...others] = this.#seats;
    const told = first && (await this.#begin(first));
    await Promise.all(others.map((seat) => this.#begin(seat)));
    return told;
  }

  /** How many serve, of how many, and since when one of them is missing. */
  standing(): { readonly serving: number; readonly count: number; readonly since: Date | null } {
    const away = this.#seats.flatMap(({ awaySince }) => awaySince ?? []);
    const since = away.sort((a, b) => a.getTime() - b.getTime())[0] ?? null;
    return { serving: this.#seats.filter(({ isReady }) => isReady).length, count: this.#seats.length, since };
  }

  /** Process ids of the workers that run. */
  get pids(): number[] {
    return this.#seats.flatMap(({ worker }) => worker?.process.pid ?? []);
  }

  /** Asks every worker to stop, and resolves when all have ended; shortly before `ms` are over the rest is killed. */
  async close(ms = usualStopMs): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#seats.map((seat) => this.#stop(seat, Math.max(ms / 2, ms - restMs))));
  }

  /** Whatever they are doing. */
  kill(): void {
    for (const { worker } of this.#seats) worker?.process.kill('SIGKILL');
  }

  /** Asks all that serve but this one; an answer that does not come in time rejects. */
  askOthers(asking: number, topic: string): { readonly number: number; readonly answer: Promise<unknown> }[] {
    return this.#seats.flatMap(({ number, isReady, link }) =>
      number !== asking && isReady && link ? [{ number, answer: link.ask(topic, null, patience) }] : [],
    );
  }

  async #stop({ number, worker, link, isReady }: Seat, ms: number): Promise<void> {
    if (!worker || worker.isDead()) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    link?.ask('stop', null, patience).catch(() => undefined); // It may end before it has answered.
    // Nobody's calls are lost with it, and it may be too early for it to hear anything else.
    if (!isReady) worker.process.kill('SIGTERM');
    const longest = isReady ? ms : Math.min(ms, patience);
    await within(longest, `It has not ended after ${longest} ms, and is killed.`, ended).catch((error) => {
      this.#o.log.error({ err: error, worker: number }, 'a worker did not stop');
      worker.process.kill('SIGKILL');
      return within(restMs / 2, 'It cannot be killed.', ended).catch(() => undefined);
    });
  }

  /** Throws while all stop: whoever asks would go on to serve. */
  #goesOn(): void {
    if (this.#isStopping) throw new Error('All workers are stopping.');
  }

  /** Resolves with what the worker says when it serves; rejects when it ends before that, or cannot be started. */
  #begin(seat: Seat): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const since = performance.now();
      let isOver = false;
      const over = (how: object) => {
        if (isOver) return;
        isOver = true;
        reject(
          new AppError('worker_failed', 500, `Worker ${seat.number} could not start; why stands above.`),
        );
        this.#ended(seat, since, how);
      };
      let worker: Worker;
      try {
        worker = cluster.fork();
      } catch (error) {
        return over({ error: messageOf(error) });
      }
      const link = new Link((wire) => worker.isConnected() && worker.send(wire));
      Object.assign(seat, { worker, link });
      for (const [topic, answer] of Object.entries(this.#o.answers))
        link.answer(topic, (message) => answer(message, seat.number));
      link.answer('placement', () => {
        this.#goesOn();
        return this.#o.placementOf(seat.number);
      });
      link.answer('others', (topic) => this.#answersOfOthers(seat, String(topic)));
      link.answer('workers', () => this.standing());
      link.answer('serving', (told) => {
        this.#goesOn();
        Object.assign(seat, { isReady: true, awaySince: null });
        resolve(told);
      });
      worker.on('message', (message) => link.hear(message));
      worker.on('error', (error) => {
        this.#o.log.warn({ err: error, worker: seat.number }, 'a worker cannot be told');
        // There is no process then, and so none that could end.
        if (worker.process.pid === undefined) over({ error: messageOf(error) });
      });
      worker.once('exit', (code, signal) => over({ code, signal }));
    });
  }

  #ended(seat: Seat, since: number, how: object): void {
    const wasReady = seat.isReady;
    seat.link?.close();
    this.#o.ended?.(seat.number);
    Object.assign(seat, { worker: undefined, link: undefined, isReady: false });
    // One that never served at the first start is the caller's to hear of.
    if (this.#isStopping || (!wasReady && seat.awaySince === null)) return;
    seat.awaySince ??= new Date();
    seat.failures = performance.now() - since > provenAfter ? 1 : seat.failures + 1;
    const { first, longest } = this.#o.pause ?? { first: 250, longest: 30_000 };
    const milliseconds = Math.min(longest, first * 2 ** (seat.failures - 1));
    this.#o.log.error({ ...how, worker: seat.number, milliseconds }, 'a worker ended; it is started again');
    setTimeout(() => {
      if (!this.#isStopping) this.#begin(seat).catch(() => undefined); // Its end is seen there, and it is started again.
    }, milliseconds);
  }

  async #answersOfOthers({ number }: Seat, topic: string): Promise<unknown[]> {
    const answers = await Promise.allSettled(this.askOthers(number, topic).map(({ answer }) => answer));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }
}
