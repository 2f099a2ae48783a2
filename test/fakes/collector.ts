// What a collector of OpenTelemetry sees: the spans that were sent to it over HTTP as JSON.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { listenOnLoopback } from './loopback.ts';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 2: of a request that came in; 3: of one that went out. */
  readonly kind: number;
  readonly status: { readonly code?: number };
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface Collector {
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** Every body, as it came. */
  readonly bodies: string[];
  /** What it says of itself, of the last body. */
  readonly resource: () => Readonly<Record<string, string | number>>;
  close(): Promise<void>;
}

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<CollectedSpan, 'attributes'> & { attributes: readonly Pair[] })[];
    }[];
  }[];
}

interface Pair {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number };
}

export async function startCollector(port = 0): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const bodies: string[] = [];
  let resource: Readonly<Record<string, string | number>> = {};
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    if (request.url !== '/v1/traces' || request.headers['content-type'] !== 'application/json')
      return void response.writeHead(400).end();
    bodies.push(body);
    for (const sent of (JSON.parse(body) as Sent).resourceSpans) {
      resource = plain(sent.resource.attributes);
      for (const scope of sent.scopeSpans)
        spans.push(...scope.spans.map((span) => ({ ...span, attributes: plain(span.attributes) })));
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  };
  const http = await listenOnLoopback((request, response) => void take(request, response), port);
  return { url: http.origin, spans, bodies, resource: () => resource, close: () => http.close() };
}

function plain(pairs: readonly Pair[]): Record<string, string | number> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
  );
}
