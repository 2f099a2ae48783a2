import type { Call, Gate } from '../call.ts';
import { limitHeaders } from '../limits/headers.ts';
import type { Verdict } from '../limits/limit.ts';
import { ceilingsOf, limitsOfCaller, limitsOfServer } from '../limits/limits-of-call.ts';
import { rateLimited, tooManyAtOnce } from '../refusals.ts';

/**
 * Counts a call that may be made: for its caller, address, group, tenant, server and tool, with all of them or with none.
 * Here it is known what it is about, and nothing has been done for it.
 */
export function countCall(call: Call, gate: Gate): Promise<void> | void {
  const settings = gate.settings.rateLimits();
  if (!settings) return undefined;
  call.isCounted = true;
  const entry = gate.limits.underWay.enter(ceilingsOf(call, settings));
  if (!entry.ok) {
    gate.limits.isFull(entry.full, call.turn);
    throw tooManyAtOnce(entry.full);
  }
  call.leave = entry.leave;
  const limits = [...limitsOfCaller(call, gate, settings), ...limitsOfServer(call, settings)];
  const verdict = gate.limits.calls.take(limits, entry.held);
  if (verdict instanceof Promise) return verdict.then((found) => settle(call, gate, found));
  return settle(call, gate, verdict);
}

/** A call that failed before it was counted has cost something all the same: throws when that is too much. */
export function countFailed(call: Call, gate: Gate): Promise<void> | void {
  const settings = gate.settings.rateLimits();
  if (!settings || call.isCounted) return undefined;
  call.isCounted = true;
  const verdict = gate.limits.calls.take(limitsOfCaller(call, gate, settings));
  if (verdict instanceof Promise) return verdict.then((found) => settle(call, gate, found));
  return settle(call, gate, verdict);
}

function settle(call: Call, gate: Gate, verdict: Verdict): void {
  if (!verdict.ok && !verdict.over) {
    gate.limits.isFull(verdict.full, call.turn);
    throw tooManyAtOnce(verdict.full);
  }
  if (!verdict.ok) {
    gate.limits.isOver(verdict.over, call.turn);
    throw rateLimited(verdict.over);
  }
  if (!call.turn) return;
  call.turn.isCounted = true;
  // An address is shared, and how much of it others have used is theirs.
  if (verdict.quota?.limit.kind === 'user') call.turn.tell(limitHeaders(verdict.quota));
}
