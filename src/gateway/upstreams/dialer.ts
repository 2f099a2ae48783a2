import { join } from 'node:path';
import type { Log } from '../../platform/log.ts';
import type { NetGuard } from '../../platform/net-guard.ts';
import type { Connector, ConnectorOptions, Sink } from '../connectors/contract.ts';
import { HttpConnector } from '../connectors/http.ts';
import { type Reaper, startReaper } from '../connectors/reaper.ts';
import { SseConnector } from '../connectors/sse.ts';
import { StdioConnector } from '../connectors/stdio.ts';
import { destinationOf, type Surroundings } from './destination.ts';
import type { Target } from './target.ts';

export interface DialerOptions {
  readonly log: Log;
  /** Re-checks addresses of servers that the operator did not write himself. */
  readonly netGuard: NetGuard;
  readonly projectDir: string;
  readonly around: Surroundings;
}

/** Opens connectors of every kind; whatever process one starts is ended with the gate, however that ends. */
export class Dialer {
  readonly #options: DialerOptions;
  #reaper: Reaper | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** `transport` says how to speak to a server at a URL, whatever its definition says. */
  open(target: Target, sink: Sink, transport?: 'sse'): Connector {
    const destination = destinationOf(target, this.#options.around);
    const { netGuard, log, projectDir } = this.#options;
    const options: ConnectorOptions = {
      name: target.server.id,
      maxResponseBytes: target.server.definition.maxResponseBytes,
      sink,
      log,
      netGuard: target.trusted ? undefined : netGuard,
    };
    if (destination.type === 'stdio') {
      this.#reaper ??= startReaper();
      const binDirs = [join(projectDir, 'node_modules', '.bin')];
      return new StdioConnector(destination, { ...options, reaper: this.#reaper, binDirs });
    }
    return (transport ?? destination.type) === 'sse'
      ? new SseConnector(destination, options)
      : new HttpConnector(destination, options);
  }

  close(): void {
    this.#reaper?.close();
  }
}
