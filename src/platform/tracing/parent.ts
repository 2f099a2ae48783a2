import type { TraceParent } from './tracer.ts';

// https://www.w3.org/TR/trace-context/#traceparent-header: later versions may add parts behind these.
const shape = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.{0,200})?$/;
const longestState = 512;

export interface ReadParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
  readonly tracestate: string | undefined;
}

/** Undefined for one that breaks the rules: a new trace begins then. */
export function readParent(parent: TraceParent | undefined): ReadParent | undefined {
  const [, version, traceId, spanId, flags, more] = shape.exec(parent?.traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === '00' && more !== undefined) return undefined;
  const tracestate = parent?.tracestate;
  return {
    traceId,
    spanId,
    isSampled: (Number.parseInt(flags, 16) & 1) === 1,
    tracestate: tracestate !== undefined && tracestate.length <= longestState ? tracestate : undefined,
  };
}
