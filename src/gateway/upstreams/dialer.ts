import type { Log } from '../../platform/log.ts';
import type { NetGuard } from '../../platform/net-guard.ts';
import type { Connector, ConnectorOptions, Sink } from '../connectors/contract.ts';
import { HttpConnector } from '../connectors/http.ts';
import { SseConnector } from '../connectors/sse.ts';
import { destinationOf, type Surroundings } from './destination.ts';
import { StdioHouse, type StdioOptions } from './stdio-house.ts';
import type { Target } from './target.ts';

export interface DialerOptions extends StdioOptions {
  readonly log: Log;
  /** Re-checks addresses of servers that the operator did not write himself. */
  readonly netGuard: NetGuard;
  readonly around: Surroundings;
}

/** Opens connectors of every kind; whatever process one starts is ended with the gate, however that ends. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #house: StdioHouse;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#house = new StdioHouse(options);
  }

  /** `transport` says how to speak to a server at a URL, whatever its definition says. */
  open(target: Target, sink: Sink, transport?: 'sse'): Connector {
    const destination = destinationOf(target, this.#options.around);
    const { netGuard, log } = this.#options;
    const options: ConnectorOptions = {
      name: target.server.id,
      maxResponseBytes: target.server.definition.maxResponseBytes,
      sink,
      log,
      netGuard: target.trusted ? undefined : netGuard,
    };
    if (destination.type === 'stdio') return this.#house.open(target, destination, options);
    return (transport ?? destination.type) === 'sse'
      ? new SseConnector(destination, options)
      : new HttpConnector(destination, options);
  }

  close(): void {
    this.#house.close();
  }
}
