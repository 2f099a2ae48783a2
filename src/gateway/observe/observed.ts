import type { Metrics } from '../../platform/metrics/metrics.ts';
import type { Tracer } from '../../platform/tracing/tracer.ts';
import { CallMetrics, type LabelledNames } from './call-metrics.ts';

export interface ObservedOptions {
  readonly metrics: Metrics;
  /** Which servers and tenants have numbers of their own, as it is at the moment. */
  readonly names: () => LabelledNames;
  readonly tracer: Tracer | undefined;
  /** Whether spans say who called, from where and with what. */
  readonly tracesPeople: boolean;
}

/** What calls tell those who watch from outside. */
export interface Observed {
  readonly metrics: CallMetrics | undefined;
  readonly tracer: Tracer | undefined;
  readonly tracesPeople: boolean;
}

export function createObserved(o: ObservedOptions | undefined): Observed {
  if (!o) return { metrics: undefined, tracer: undefined, tracesPeople: false };
  const { metrics, names, tracer, tracesPeople } = o;
  return { metrics: new CallMetrics(metrics, names), tracer, tracesPeople };
}
