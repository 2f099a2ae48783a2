// OpenTelemetry. Loaded only where traces are wanted (open-tracer.ts): it costs memory and time at the start.
import {
  type Attributes as OtelAttributes,
  type Context,
  createTraceState,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import type { Clock } from '../clock.ts';
import { within } from '../deadline.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { readParent } from './parent.ts';
import { someASecond } from './some-a-second.ts';
import type { Attributes, Span, SpanStart, Tracer } from './tracer.ts';

/** Traces a second that begin here and are kept, where nobody says otherwise. */
const mostTraces = 100;

/** How long a shut-down waits for the collector, in milliseconds. */
const closeMs = 2_000;

export interface OtelOptions {
  readonly version: string;
  /** Tells this process from others of its kind. */
  readonly instance: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Sends spans where the `OTEL_…` variables of the environment say, as the specification of OpenTelemetry has them. */
export function otelTracer(o: OtelOptions): Tracer {
  const delivery = new Delivery(new OTLPTraceExporter(), o);
  const provider = new BasicTracerProvider({
    resource: resourceOf(o),
    spanProcessors: [new BatchSpanProcessor(delivery)],
    ...(o.env['OTEL_TRACES_SAMPLER'] === undefined && {
      sampler: new ParentBasedSampler({ root: someASecond(mostTraces, o.clock) }),
    }),
  });
  const tracer = provider.getTracer('toolgate', o.version);
  return {
    begin: ({ parent, ...start }) => {
      const read = readParent(parent);
      const { tracestate } = read ?? {};
      const context = read
        ? trace.setSpanContext(ROOT_CONTEXT, {
            traceId: read.traceId,
            spanId: read.spanId,
            traceFlags: read.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
            isRemote: true,
            ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
          })
        : ROOT_CONTEXT;
      return started(tracer, SpanKind.SERVER, start, context);
    },
    failingSince: () => delivery.failingSince,
    counts: () => ({ exported: delivery.exported, lost: delivery.lost }),
    close: () =>
      within(closeMs, 'The collector of traces gives no answer.', provider.shutdown()).catch(
        (error: unknown) => o.log.warn({ error: messageOf(error) }, 'the last traces were not delivered'),
      ),
  };
}

/** What is said of this process with each span; the environment has the last word. */
function resourceOf({ version, instance }: OtelOptions) {
  const own = { 'service.name': 'toolgate', 'service.version': version, 'service.instance.id': instance };
  return defaultResource()
    .merge(resourceFromAttributes(own))
    .merge(detectResources({ detectors: [envDetector] }));
}

class RunningSpan implements Span {
  readonly #tracer: OtelTracer;
  readonly #span: OtelSpan;
  readonly traceId: string;
  readonly isKept: boolean;
  readonly headers: Readonly<Record<string, string>>;

  constructor(tracer: OtelTracer, span: OtelSpan) {
    this.#tracer = tracer;
    this.#span = span;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const tracestate = traceState?.serialize() ?? '';
    this.traceId = traceId;
    this.isKept = span.isRecording();
    this.headers = {
      traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
      ...(tracestate !== '' && { tracestate }),
    };
  }

  child(start: SpanStart): Span {
    return started(this.#tracer, SpanKind.CLIENT, start, trace.setSpan(ROOT_CONTEXT, this.#span));
  }

  end({ at, name, attributes, error }: Parameters<Span['end']>[0]): void {
    const span = this.#span;
    if (name !== undefined) span.updateName(name);
    if (attributes && this.isKept) span.setAttributes(defined(attributes()));
    if (error !== undefined) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
    span.end(at);
  }
}

function started(tracer: OtelTracer, kind: SpanKind, { name, at, attributes }: SpanStart, context: Context) {
  const span = tracer.startSpan(name, { kind, startTime: at }, context);
  if (attributes && span.isRecording()) span.setAttributes(defined(attributes()));
  return new RunningSpan(tracer, span);
}

function defined(attributes: Attributes): OtelAttributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

/** The exporter, with its failures told once and counted: a collector that is away must not fill the log. */
class Delivery implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #o: OtelOptions;
  failingSince: Date | null = null;
  exported = 0;
  lost = 0;

  constructor(exporter: SpanExporter, o: OtelOptions) {
    this.#exporter = exporter;
    this.#o = o;
  }

  export(...[spans, done]: Parameters<SpanExporter['export']>): void {
    this.#exporter.export(spans, (result) => {
      const { log, clock } = this.#o;
      if (result.code === 0) {
        this.exported += spans.length;
        if (this.failingSince) log.info('traces are delivered again');
        this.failingSince = null;
      } else {
        this.lost += spans.length;
        if (!this.failingSince)
          log.warn({ error: messageOf(result.error) }, 'traces cannot be delivered, and are lost');
        this.failingSince ??= new Date(clock());
      }
      // It has been told here; the library would tell it again with each batch.
      done({ code: 0 });
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}
