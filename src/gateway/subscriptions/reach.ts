import { can, rightsOf } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { listedTool, pinModeOf } from '../pins.ts';
import { targetOf } from '../steps/attach-credentials.ts';
import type { Target } from '../upstreams/target.ts';

/**
 * A server as whoever opened a stream reaches it at this moment; undefined: not at all. The same server at another
 * address, through another credential or for another session is another one.
 */
export function reach(call: Call, gate: Gate, id: string): Target | undefined {
  if (call.path.server !== null && call.path.server !== id) return undefined;
  const snapshot = gate.snapshot();
  const server = snapshot.servers.get(id);
  const rights = rightsOf(snapshot, principalOf(call), gate.clock());
  if (!server || rights.disabled || !rights.servers.includes(server.id)) return undefined;
  // Not what the call began with: a group that lends its key may be gone from the rights.
  return targetOf({ ...call, snapshot, rights }, gate, server);
}

/** The same for what only a grant of the whole server gives: its resources. */
export function reachWhole(call: Call, gate: Gate, id: string): Target | undefined {
  const question = { server: id, whole: true } as const;
  const answer = can(gate.snapshot(), principalOf(call), question, gate.clock());
  return answer.allow ? reach(call, gate, id) : undefined;
}

/** The same for a task, which is its tool's: it is out of reach while the tool is held back. */
export function reachTool(call: Call, gate: Gate, id: string, tool: string): Target | undefined {
  const answer = can(gate.snapshot(), principalOf(call), { server: id, tool }, gate.clock());
  const target = answer.allow ? reach(call, gate, id) : undefined;
  if (!target || pinModeOf(target.server) !== 'enforce') return target;
  const listed = listedTool(gate.lists.peek(target, call.era, call.capabilities), tool);
  return listed && !gate.pins.isHeld(target, tool, listed.raw) ? target : undefined;
}
