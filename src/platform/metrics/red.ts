/** Upper bounds of durations, in seconds: from an answer out of memory to a tool that thinks for minutes. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** The row of everything that has none of its own. */
const rest = 'other';

export interface RedOptions {
  /** `toolgate_calls` makes `toolgate_calls_total` and `toolgate_calls_duration_seconds`. */
  readonly name: string;
  /** What is counted, after "How many" and "How long": `calls`. */
  readonly help: string;
  /** The label that tells the rows apart. */
  readonly label: string;
  /**
   * Which names get a row of their own, as it is at the moment; whatever else comes is added up as `other`. A name
   * that is not in `always` gets one while fewer than `most` others have.
   */
  readonly names: () => { readonly most: number; readonly always: readonly string[] };
}

/** One number of a metric as it is told. */
export interface Told {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * Rate, errors and durations, a row for each of a bounded number of names. Counting is a few additions: whoever has
 * the row needs neither text nor a look-up, which the counters of the library make for each single one.
 */
export class Red {
  readonly options: RedOptions;
  readonly #rows = new Map<string, RedRow>();
  readonly #others = new RedRow();
  #chosen = 0;

  constructor(options: RedOptions) {
    this.options = options;
  }

  row(name: string): RedRow {
    return this.#rows.get(name) ?? this.#add(name);
  }

  totals(): Told[] {
    return this.#all().flatMap(([name, row]) =>
      [...row.outcomes].map(([outcome, value]) => ({
        value,
        labels: { [this.options.label]: name, outcome },
      })),
    );
  }

  durations(): Told[] {
    const metric = `${this.options.name}_duration_seconds`;
    return this.#all().flatMap(([name, row]) => {
      const labels = { [this.options.label]: name };
      let sum = 0;
      const buckets = [...bounds, '+Inf' as const].map((le, index) => {
        sum += row.buckets[index] ?? 0;
        return { metricName: `${metric}_bucket`, labels: { le, ...labels }, value: sum };
      });
      return [
        ...buckets,
        { metricName: `${metric}_sum`, labels, value: row.seconds },
        { metricName: `${metric}_count`, labels, value: sum },
      ];
    });
  }

  #all(): [string, RedRow][] {
    return this.#others.isEmpty ? [...this.#rows] : [...this.#rows, [rest, this.#others]];
  }

  #add(name: string): RedRow {
    const { most, always } = this.options.names();
    const isNamed = always.includes(name);
    if (!isNamed && this.#chosen >= most) return this.#others;
    if (!isNamed) this.#chosen++;
    const row = new RedRow();
    this.#rows.set(name, row);
    return row;
  }
}

export class RedRow {
  readonly outcomes = new Map<string, number>();
  readonly buckets = new Float64Array(bounds.length + 1);
  seconds = 0;

  get isEmpty(): boolean {
    return this.outcomes.size === 0;
  }

  /** `outcome` is one of a few words of the program, never a text from outside. */
  count(outcome: string, seconds: number): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    this.seconds += seconds;
    let index = 0;
    while (index < bounds.length && seconds > (bounds[index] ?? 0)) index++;
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
  }
}
