// The side of a worker: its primary counts for all. One message is under way at a time, and what comes up meanwhile goes in the next.
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { keyOf, type Limit } from './limit.ts';
import type { Question } from './primary-counts.ts';
import type { SharedCounts, Taken } from './shared-counts.ts';
import type { Ceiling, Held } from './under-way.ts';

const answers = z.array(
  z.object({
    ceiling: z.number().nullable(),
    full: z.object({ at: z.number(), milliseconds: z.number() }).nullable(),
    counts: z.array(z.number()),
  }),
);

/** A primary does nothing else, so one that is late is stuck; each worker then counts by itself. In milliseconds. */
const patience = 500;
const restAfterFailure = 1_000;

interface Asked {
  readonly question: Question;
  readonly answered: PromiseWithResolvers<Taken>;
}

export class WorkerCounts implements SharedCounts {
  readonly #ask: (message: unknown, timeoutMs: number) => Promise<unknown>;
  readonly #clock: Clock;
  #waiting: Asked[] = [];
  #isAsking = false;
  #failedAt: number | null = null;

  constructor(ask: (message: unknown, timeoutMs: number) => Promise<unknown>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  isUsable(): boolean {
    return this.#failedAt === null || this.#clock() - this.#failedAt > restAfterFailure;
  }

  take(limits: readonly Limit[], held: readonly (Ceiling & Held)[]): Promise<Taken> {
    return this.#put({
      limits: limits.map((limit) => [keyOf(limit), limit.perMinute]),
      held: held.map((one) => [nameOf(one), one.atOnce, one.calls]),
    });
  }

  tell(held: readonly Held[]): Promise<Taken> {
    return this.#put({ limits: [], held: held.map((one) => [nameOf(one), null, one.calls]) });
  }

  tellAll(held: readonly Held[]): Promise<Taken> {
    return this.#put({ limits: [], held: held.map((one) => [nameOf(one), null, one.calls]), isAll: true });
  }

  awaySince(): Date | null {
    return this.#failedAt === null ? null : new Date(this.#failedAt);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #put(question: Question): Promise<Taken> {
    const answered = Promise.withResolvers<Taken>();
    this.#waiting.push({ question, answered });
    if (this.#waiting.length === 1 && !this.#isAsking) this.#sendSoon();
    return answered.promise;
  }

  /** After everything that has arrived by then. */
  #sendSoon(): void {
    setImmediate(() => this.#send());
  }

  #send(): void {
    const asked = this.#waiting;
    this.#waiting = [];
    this.#isAsking = true;
    this.#answersTo(asked.map(({ question }) => question)).then(
      (taken) => {
        this.#isAsking = false;
        this.#failedAt = null;
        for (const [at, { answered }] of asked.entries()) answered.resolve(taken[at] as Taken); // As many as were asked for.
        if (this.#waiting.length > 0) this.#sendSoon();
      },
      (error: unknown) => {
        this.#isAsking = false;
        this.#failedAt = this.#clock();
        // Who came meanwhile has waited as well.
        for (const { answered } of [...asked, ...this.#waiting.splice(0)]) answered.reject(error);
      },
    );
  }

  async #answersTo(message: readonly Question[]): Promise<Taken[]> {
    const taken = answers.parse(await this.#ask(message, patience));
    if (taken.length !== message.length) throw new Error('The primary counted strangely.');
    return taken;
  }
}

function nameOf({ kind, id }: Held): string {
  return `${kind} ${id}`;
}
