import { type Held, heldBy } from './held.ts';
import type { World } from './world.ts';

const scrapeMs = 5_000;
const sampleMs = 60_000;

/** Looks on while there is load: reads metrics as Prometheus does, and notes each minute what is held. */
export class Watch {
  /** By replica. */
  readonly minutely: Held[][];
  scrapes = 0;
  readonly #world: World;
  readonly #timers: NodeJS.Timeout[];
  #underWay: Promise<void> = Promise.resolve();

  constructor(world: World) {
    this.#world = world;
    this.minutely = world.gates.map(() => []);
    const then = (work: () => Promise<void>) => () => {
      this.#underWay = this.#underWay.then(work);
    };
    this.#timers = [
      setInterval(
        then(() => this.#scrape()),
        scrapeMs,
      ),
      setInterval(
        then(() => this.#sample()),
        sampleMs,
      ),
    ];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#underWay;
  }

  async #scrape(): Promise<void> {
    for (const { url } of this.#world.gates) {
      const response = await fetch(`${url}/metrics`, { headers: { 'user-agent': 'scrape' } });
      await response.text();
      if (!response.ok) throw new Error(`/metrics: ${response.status}`);
      this.scrapes += 1;
    }
    this.#world.forget();
  }

  async #sample(): Promise<void> {
    const now = await Promise.all(this.#world.gates.map(heldBy));
    for (const [at, held] of now.entries()) this.minutely[at]?.push(held);
    const shown = now.map(
      ({ heapMiB, rssMiB, sockets }) => `${heapMiB.toFixed(1)}/${rssMiB.toFixed(0)} MiB, ${sockets} sockets`,
    );
    process.stderr.write(`${new Date().toISOString()} ${shown.join('; ')}\n`);
  }
}
