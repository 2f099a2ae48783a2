import type { AccessQuestion, Decision, DenyReason, Principal } from './contract.ts';
import type { ToolRule } from './patterns.ts';
import type { Snapshot } from './snapshot.ts';
import { adminGroupOf, grantsOn, type Standing, standingOf } from './standing.ts';

/**
 * The one decision: may this principal see a server, call a tool of it, or read the whole of it. Pure; `now`
 * is in milliseconds since the epoch.
 */
export function can(
  snapshot: Snapshot,
  principal: Principal,
  question: AccessQuestion,
  now: number,
): Decision {
  return decide(snapshot, standingOf(snapshot, principal, now), question);
}

/** can(), for those who ask much about one principal. Read it top to bottom: what stands first wins, and the last word is no. */
export function decide(snapshot: Snapshot, standing: Standing, question: AccessQuestion): Decision {
  if (standing.disabled) return deny('user_disabled');

  const server = snapshot.servers.get(question.server);
  if (server === undefined) return deny('server_unknown');
  if (!server.definition.enabled) return deny('server_disabled');
  if (question.tool !== undefined && !server.rule.allows(question.tool)) return deny('tool_off_for_everyone');

  const admin = adminGroupOf(standing);
  if (admin !== undefined) return { allow: true, via: [`admin group ${admin.name}`] };

  const grants = grantsOn(standing, server.id);
  if (grants.length === 0) return deny('server_not_granted');
  const via = grants.filter((grant) => covers(grant.rule, question)).map((grant) => grant.via);
  if (via.length > 0) return { allow: true, via };

  return deny(question.tool === undefined ? 'whole_server_not_granted' : 'tool_not_granted');
}

function covers(rule: ToolRule, question: AccessQuestion): boolean {
  if (question.whole && !rule.whole) return false;
  return question.tool === undefined || rule.allows(question.tool);
}

function deny(reason: DenyReason): Decision {
  return { allow: false, reason };
}
