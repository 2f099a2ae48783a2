import { AggregatorRegistry } from 'prom-client';
import type { MetricsPicture } from './metrics.ts';

/**
 * The last numbers of several processes, of which some may be late and some have ended. What only grows must never fall:
 * Prometheus takes a fall for a new beginning, and adds all that is left once more.
 */
export class Pictures {
  readonly #last = new Map<number, MetricsPicture>();
  #ofEnded: Promise<MetricsPicture> = Promise.resolve([]);

  /** Of all but the one that asks, with those of processes that have ended. `asked`: who else can be asked for theirs. */
  async answer(
    own: unknown,
    asking: number,
    asked: readonly { readonly number: number; readonly answer: Promise<unknown> }[],
  ): Promise<MetricsPicture[]> {
    this.#keep(asking, own);
    // At once, for one that has answered may have ended before the last one has.
    await Promise.allSettled(
      asked.map(({ number, answer }) => answer.then((picture) => this.#keep(number, picture))),
    );
    const ofEnded = await this.#ofEnded;
    const others = [...this.#last].flatMap(([number, picture]) => (number === asking ? [] : [picture]));
    return ofEnded.length === 0 ? others : [...others, ofEnded];
  }

  /** What it counted stays counted; how much of anything it had is over. */
  ended(number: number): void {
    const growing = this.#last.get(number)?.filter(({ type }) => grows.has(String(type))) ?? [];
    this.#last.delete(number);
    this.#ofEnded = this.#ofEnded.then((before) =>
      AggregatorRegistry.aggregate([before, growing]).getMetricsAsJSON(),
    );
  }

  #keep(number: number, picture: unknown): void {
    this.#last.set(number, picture as MetricsPicture); // Processes of one machine are one program.
  }
}

const grows: ReadonlySet<string> = new Set(['counter', 'histogram']);
