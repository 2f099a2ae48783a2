import { describe, expect, test } from 'vitest';
import type { Span } from '../../platform/tracing/tracer.ts';
import type { Call } from '../call.ts';
import type { Target } from '../upstreams/target.ts';
import { tracing } from './trace.ts';

/** The parts of a call and a target that count here. */
function traced(headers: Record<string, string>, type: 'http' | 'stdio', span?: Partial<Span>) {
  const call = { header: (name: string) => headers[name] } as Call;
  return tracing(call, { server: { definition: { type } } } as Target, span as Span);
}

const headers = { traceparent: '00-1-2-01', tracestate: 'a="b"', cookie: 'secret' };

test('a request without a trace brings none along', () => {
  expect(traced({ cookie: 'secret' }, 'http')).toBeUndefined();
});

test('to a server with headers the trace goes as headers, and nothing else does', () => {
  const trace = traced(headers, 'http');
  expect(trace?.headers).toEqual({ traceparent: '00-1-2-01', tracestate: 'a="b"' });
  expect(trace?.paramsWith('{"a":1.0}')).toBe('{"a":1.0}');
  expect(traced({ baggage: 'k=v' }, 'http')?.headers).toEqual({ baggage: 'k=v' });
});

test('to a server without headers it goes in _meta, unless the client wrote one there', () => {
  const trace = traced(headers, 'stdio');
  const members = '"traceparent":"00-1-2-01","tracestate":"a=\\"b\\""';
  expect(trace?.paramsWith(undefined)).toBe(`{"_meta":{${members}}}`);
  expect(trace?.paramsWith('{"a":1.0,"_meta":{"progressToken":7}}')).toBe(
    `{"a":1.0,"_meta":{"progressToken":7,${members}}}`,
  );
  const own = '{"_meta":{"traceparent":"own"}}';
  expect(trace?.paramsWith(own)).toBe(own);
  expect(trace?.paramsWith('{"_meta":null}')).toBe('{"_meta":null}');
});

describe('with a span of the gate in between', () => {
  const span = { headers: { traceparent: '00-a-b-01' } };

  test('the span is the parent, and the client’s baggage goes on', () => {
    expect(traced({ ...headers, baggage: 'k=v' }, 'http', span)?.headers).toEqual({
      traceparent: '00-a-b-01',
      baggage: 'k=v',
    });
    expect(traced({}, 'http', span)?.headers).toEqual(span.headers);
  });

  test.each([
    ['a parent', '{"a":1.0,"_meta":{"traceparent":"own"}}', '{"a":1.0,"_meta":{"traceparent":"00-a-b-01"}}'],
    [
      'a parent with escapes',
      '{"_meta":{"trace\\u0070arent":"own"}}',
      '{"_meta":{"traceparent":"00-a-b-01"}}',
    ],
    [
      'a parent and its state',
      '{"_meta":{"traceparent":"own","tracestate":"s","baggage":"b","x":1}}',
      '{"_meta":{"traceparent":"00-a-b-01","baggage":"b","x":1}}',
    ],
  ])('%s that the client wrote into _meta gives way to it', (_what, given, sent) => {
    expect(traced(headers, 'http', span)?.paramsWith(given)).toBe(sent);
    expect(traced(headers, 'stdio', span)?.paramsWith(given)).toBe(sent);
  });

  test('params without one stay as they are for a server with headers', () => {
    for (const text of [
      undefined,
      '{"a":1.0}',
      '{"trace":"x","_meta":{"progressToken":7}}',
      '{"_meta":null}',
    ])
      expect(traced(headers, 'http', span)?.paramsWith(text)).toBe(text);
  });

  test('for a server without headers it is written into _meta', () => {
    const trace = traced({ baggage: 'k=v' }, 'stdio', span);
    expect(trace?.paramsWith(undefined)).toBe('{"_meta":{"traceparent":"00-a-b-01","baggage":"k=v"}}');
    expect(trace?.paramsWith('{"_meta":null}')).toBe('{"_meta":null}');
  });
});
