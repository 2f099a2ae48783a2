import type { Connector } from '../connectors/contract.ts';

/** Connections that are over, some with answers still to come. */
export class Retired {
  readonly #all = new Set<Connector>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(connector: Connector): void {
    this.#all.add(connector);
    connector
      .retire()
      .catch(this.#onError)
      .finally(() => this.#all.delete(connector))
      .catch(() => undefined);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((one) => one.close()));
  }
}
