import type { Log } from '../../platform/log.ts';
import type { Connector } from '../connectors/contract.ts';

/** Connections that are over, some with answers still to come. */
export class Retired {
  readonly #all = new Set<Connector>();
  readonly #name: string;
  readonly #log: Log;

  /** `name` is the server's. */
  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
  }

  add(connector: Connector): void {
    this.#all.add(connector);
    connector
      .retire()
      .catch((error: unknown) =>
        this.#log.debug({ server: this.#name, err: error }, 'connection did not end cleanly'),
      )
      .finally(() => this.#all.delete(connector))
      .catch(() => undefined);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((one) => one.close()));
  }
}
