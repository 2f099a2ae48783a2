import type { Metrics } from '../../platform/metrics/metrics.ts';
import type { Red } from '../../platform/metrics/red.ts';

export interface LabelledNames {
  /** Most servers, and most tenants, beside those that are named. */
  readonly most: number;
  readonly servers: readonly string[];
  readonly tenants: readonly string[];
}

/** What of a call is counted. */
export interface EndedCall {
  readonly face: string;
  readonly outcome: string;
  readonly servers: readonly { readonly id: string }[];
  readonly tenant: { readonly id: string } | null;
}

/**
 * Calls by face, by server and by tenant. Each stands by itself: crossed, they would be as many as their product.
 * People are never told apart here.
 */
export class CallMetrics {
  readonly #byFace: Red;
  readonly #byServer: Red;
  readonly #byTenant: Red;
  readonly #upstream: Red;

  constructor(metrics: Metrics, names: () => LabelledNames) {
    const servers = () => ({ most: names().most, always: names().servers });
    const tenants = () => ({ most: names().most, always: names().tenants });
    this.#byFace = metrics.red({
      ...{ name: 'toolgate_calls', help: 'calls', label: 'face' },
      names: () => ({ most: 20, always: [] }),
    });
    this.#byServer = metrics.red({
      ...{ name: 'toolgate_server_calls', help: 'calls about one server', label: 'server', names: servers },
    });
    this.#byTenant = metrics.red({
      ...{ name: 'toolgate_tenant_calls', help: 'calls for one tenant', label: 'tenant', names: tenants },
    });
    this.#upstream = metrics.red({
      name: 'toolgate_upstream_requests',
      ...{ help: 'requests that went to a server', label: 'server', names: servers },
    });
  }

  /** A call that has ended. Only servers and tenants that exist are named: a path may say anything. */
  called({ face, outcome, servers, tenant }: EndedCall, seconds: number): void {
    this.#byFace.row(face).count(outcome, seconds);
    const [server] = servers;
    if (server && servers.length === 1) this.#byServer.row(server.id).count(outcome, seconds);
    if (tenant) this.#byTenant.row(tenant.id).count(outcome, seconds);
  }

  /** A request to a server that has ended: what of a call's time is not the gate's own. */
  sent(server: string, outcome: string, seconds: number): void {
    this.#upstream.row(server).count(outcome, seconds);
  }
}
