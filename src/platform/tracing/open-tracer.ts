import type { OtelOptions } from './otel.ts';
import type { Tracer } from './tracer.ts';

/** The tracer of this process; undefined, with nothing loaded, where no collector is named. */
export async function openTracer(
  endpoint: string | undefined,
  options: OtelOptions,
): Promise<Tracer | undefined> {
  if (endpoint === undefined) return undefined;
  const { otelTracer } = await import('./otel.ts');
  return otelTracer(options);
}
