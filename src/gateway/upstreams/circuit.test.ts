import { describe, expect, test } from 'vitest';
import { UpstreamError, type UpstreamFailure } from '../connectors/contract.ts';
import { Circuit } from './circuit.ts';

const start = Date.parse('2026-11-20T18:00:00Z');

function world() {
  let now = start;
  const circuit = new Circuit('crm', () => now);
  return {
    circuit,
    pass: (ms: number) => {
      now += ms;
    },
    fail: (times: number, kind: UpstreamFailure = 'closed') => {
      for (let n = 0; n < times; n++) circuit.failed(failure(kind));
    },
  };
}

function failure(kind: UpstreamFailure, more: { status?: number; retryAfterMs?: number } = {}) {
  return new UpstreamError(kind, `it was ${kind}.`, more);
}

test('opens after five failures in a row, and not when one call between them was answered', () => {
  const { circuit, fail } = world();
  fail(4);
  circuit.succeeded();
  fail(4);
  expect([circuit.state, circuit.isClosed, circuit.refusal]).toEqual(['closed', true, undefined]);
  fail(1);
  expect([circuit.state, circuit.isClosed]).toEqual(['open', false]);
});

test('says since when, when it is tried again, and what went wrong', () => {
  const { circuit, pass } = world();
  circuit.failed(failure('timeout'), { opens: true, cost: 30_000 });
  pass(17_500);
  expect(circuit.refusal).toMatchObject({
    kind: 'paused',
    message:
      'The server "crm" has been failing since 2026-11-20 18:00:00 UTC and is tried again in 13 s. Last failure: it was timeout.',
  });
  expect([circuit.since, circuit.nextTry]).toEqual([start, start + 30_000]);
});

test('lets one attempt through when its time is over, and nobody else until that has ended', () => {
  const { circuit, fail, pass } = world();
  fail(5);
  pass(500);
  expect([circuit.state, circuit.refusal]).toEqual(['half-open', undefined]);
  circuit.begin();
  expect(circuit.refusal?.message).toContain('is being tried at this moment');
  circuit.succeeded();
  expect([circuit.state, circuit.refusal, circuit.since]).toEqual(['closed', undefined, undefined]);
});

test('an attempt that never ends keeps the others away for a while only', () => {
  const { circuit, fail, pass } = world();
  fail(5);
  pass(500);
  circuit.begin();
  pass(9_999);
  expect(circuit.refusal).toBeDefined();
  pass(1);
  expect(circuit.refusal).toBeUndefined();
});

test('an attempt that says nothing of the server makes way for the next', () => {
  const { circuit, fail, pass } = world();
  fail(5);
  pass(500);
  circuit.begin();
  circuit.release();
  expect([circuit.state, circuit.refusal]).toEqual(['half-open', undefined]);
});

test('stays open twice as long after each attempt that fails, a minute at most, and begins anew after a success', () => {
  const { circuit, pass } = world();
  const waits: number[] = [];
  for (let n = 0; n < 9; n++) {
    circuit.failed(failure('closed'), { opens: true });
    const wait = circuit.nextTry! - (start + waits.reduce((sum, one) => sum + one, 0));
    waits.push(wait);
    pass(wait);
  }
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  circuit.succeeded();
  circuit.failed(failure('closed'), { opens: true });
  pass(500);
  expect(circuit.state).toBe('half-open');
});

test('late failures of calls that began before it opened change nothing', () => {
  const { circuit, fail } = world();
  fail(5);
  const { nextTry } = circuit;
  fail(20);
  expect(circuit.nextTry).toBe(nextTry);
});

describe('Retry-After', () => {
  test.each([
    [30_000, 30_000],
    [1, 500],
    [1_000_000_000, 300_000],
  ])('of %i ms keeps it open for %i ms', (retryAfterMs, expected) => {
    const { circuit } = world();
    for (let n = 0; n < 5; n++) circuit.failed(failure('http_status', { status: 429, retryAfterMs }));
    expect(circuit.nextTry).toBe(start + expected);
  });
});

describe('a sign of life', () => {
  test('closes it after silence, a broken connection, or a check that failed', () => {
    for (const kind of ['timeout', 'closed', 'unreachable'] as const) {
      const { circuit, fail } = world();
      fail(5, kind);
      circuit.answered();
      expect(circuit.state).toBe('closed');
    }
    const { circuit } = world();
    circuit.failed(failure('http_status', { status: 503 }), { opens: true });
    circuit.answered();
    expect(circuit.state).toBe('closed');
  });

  test('says nothing of calls that the server refuses with an HTTP error', () => {
    const { circuit, pass } = world();
    for (let n = 0; n < 5; n++) circuit.failed(failure('http_status', { status: 503 }));
    circuit.answered();
    expect(circuit.state).toBe('open');
    pass(500);
    circuit.begin();
    circuit.answered();
    expect([circuit.state, circuit.refusal]).toEqual(['half-open', undefined]);
    circuit.succeeded();
    expect(circuit.state).toBe('closed');
  });
});

test('somebody who wants to know now is let through', () => {
  const { circuit, fail } = world();
  fail(5);
  circuit.hurry();
  expect([circuit.state, circuit.refusal]).toEqual(['half-open', undefined]);
});

test('a clock that is set back keeps it open no longer than it would have been', () => {
  const { circuit, fail, pass } = world();
  pass(3_600_000);
  fail(5);
  expect(circuit.state).toBe('open');
  pass(-3_600_000);
  expect([circuit.state, circuit.refusal]).toEqual(['half-open', undefined]);
  fail(1);
  expect(circuit.state).toBe('open');
  pass(300_000);
  expect(circuit.state).toBe('half-open');
});
