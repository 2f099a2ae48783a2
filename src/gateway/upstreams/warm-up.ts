import type { Gate } from '../call.ts';
import { makeTarget, neededCredentials } from './target.ts';

/**
 * Asks the servers that everybody shares for their lists before anyone else does, so that the first caller need
 * not wait for them. Servers with credentials or an isolation of their own wait for their first caller.
 */
export function warmUp(gate: Gate): void {
  for (const server of gate.snapshot().servers.values()) {
    const { enabled, isolation } = server.definition;
    const isShared =
      (isolation ?? 'shared') === 'shared' && neededCredentials(server, undefined).length === 0;
    if (!enabled || !isShared) continue;
    gate.lists.peek(
      makeTarget(server, { principal: '', tenant: null, session: null }, undefined, new Map()),
      'legacy',
      '{}',
    );
  }
}
