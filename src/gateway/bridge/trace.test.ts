import { expect, test } from 'vitest';
import type { Call } from '../call.ts';
import type { Target } from '../upstreams/target.ts';
import { tracing } from './trace.ts';

/** The parts of a call and a target that count here. */
function traced(headers: Record<string, string>, type: 'http' | 'stdio') {
  const call = { header: (name: string) => headers[name] } as Call;
  return tracing(call, { server: { definition: { type } } } as Target);
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
