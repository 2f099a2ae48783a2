import {
  AggregatorRegistry,
  collectDefaultMetrics,
  Counter,
  Gauge,
  type Metric,
  Registry,
} from 'prom-client';
import { eventLoopDelays } from './event-loop.ts';
import { Red, type RedOptions, type Told } from './red.ts';

/** A number, or one for each of a bounded number of labels. */
export type Reading =
  | number
  | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];

export interface GaugeOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** What becomes of the numbers of several processes; they add up unless told otherwise. */
  readonly together?: 'sum' | 'max' | 'min' | 'first';
  /** Asked when somebody reads the metrics, so that nothing is done while nobody does. */
  readonly read: () => Reading | Promise<Reading>;
}

/** The metrics of one process at one moment, as JSON that another process can add to its own. */
export type MetricsPicture = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** The numbers of the other processes; they are told those of this one, to keep them for when it cannot be asked. */
export type OtherPictures = (own: MetricsPicture) => Promise<readonly MetricsPicture[]>;

/** What this process tells Prometheus of itself. */
export class Metrics {
  readonly #registry = new Registry();

  /** Memory, processor, event loop and collections of garbage. They are watched until the process ends. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
    // They begin anew with whoever reads them, and those of several processes become a mean.
    for (const { name } of this.#registry.getMetricsAsArray())
      if (name.startsWith('nodejs_eventloop_lag')) this.#registry.removeSingleMetric(name);
    this.#registry.registerMetric(eventLoopDelays());
  }

  /** A number that goes up and down, and that somebody else keeps. */
  gauge({ name, help, labels = [], together = 'sum', read }: GaugeOptions): void {
    this.#registry.registerMetric(
      new Gauge({
        ...{ name, help, labelNames: [...labels], aggregator: together, registers: [] },
        async collect() {
          this.reset();
          for (const { labels: of, value } of readings(await read())) this.set(of, value);
        },
      }),
    );
  }

  /** A number that only goes up, and that somebody else keeps. */
  total({ name, help, labels = [], read }: Omit<GaugeOptions, 'together'>): void {
    this.#registry.registerMetric(
      new Counter({
        ...{ name, help, labelNames: [...labels], registers: [] },
        async collect() {
          this.reset();
          for (const { labels: of, value } of readings(await read())) this.inc(of, value);
        },
      }),
    );
  }

  /** Two metrics: how many, by outcome, and how long they took. */
  red(options: RedOptions): Red {
    const red = new Red(options);
    const { name, help } = options;
    this.#keep({ name: `${name}_total`, help: `How many ${help}, by how they ended.`, type: 'counter' }, () =>
      red.totals(),
    );
    this.#keep(
      { name: `${name}_duration_seconds`, help: `How long ${help} took, in seconds.`, type: 'histogram' },
      () => red.durations(),
    );
    return red;
  }

  /** In the text format of Prometheus; with `others`, the numbers of several processes as those of one. */
  async text(others?: OtherPictures): Promise<string> {
    if (!others) return this.#registry.metrics();
    const own = await this.picture();
    return AggregatorRegistry.aggregate([own, ...(await others(own))]).metrics();
  }

  picture(): Promise<MetricsPicture> {
    return this.#registry.getMetricsAsJSON();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #keep(about: { name: string; help: string; type: 'counter' | 'histogram' }, told: () => Told[]): void {
    const metric = {
      ...about,
      get: async () => ({ ...about, aggregator: 'sum', values: told() }),
      reset: () => undefined,
    };
    // The registry asks a metric for these and nothing else; its type names the classes of the library.
    this.#registry.registerMetric(metric as unknown as Metric);
  }
}

function readings(reading: Reading): Exclude<Reading, number> {
  return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading;
}
