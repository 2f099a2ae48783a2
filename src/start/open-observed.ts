import { randomUUID } from 'node:crypto';
import type { Config, ConfigFile } from '../config.ts';
import type { ObservedOptions } from '../gateway/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Closing } from '../platform/closing.ts';
import type { Log } from '../platform/log.ts';
import { Metrics } from '../platform/metrics/metrics.ts';
import { openTracer } from '../platform/tracing/open-tracer.ts';
import { version } from './program.ts';

/** Metrics and traces of this process, and what the gateway needs to fill them. */
export async function openObserved(
  { config, log, closing }: { readonly config: Config; readonly log: Log; readonly closing: Closing },
  file: () => ConfigFile,
): Promise<ObservedOptions> {
  const metrics = new Metrics();
  metrics.watchProcess();
  const endpoint = config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? config.OTEL_EXPORTER_OTLP_ENDPOINT;
  const { env } = process;
  const tracer = await openTracer(endpoint, { version, instance: randomUUID(), log, clock, env });
  if (tracer) closing.keep('traces', tracer, 3_000);
  return { metrics, tracer, tracesPeople: config.TRACE_PEOPLE, names: () => file().metrics };
}
