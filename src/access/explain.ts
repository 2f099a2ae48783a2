// Says in plain words, for an administrator, why somebody may or may not use a server or a tool.
import { didYouMean } from '../platform/mistakes.ts';
import { activeTenant } from './active-tenant.ts';
import { can } from './can.ts';
import type { Explanation, Principal } from './contract.ts';
import type { ToolRule } from './patterns.ts';
import { rightsOf } from './rights.ts';
import type { Group, Member, Membership, Snapshot } from './snapshot.ts';
import { patternOf, standingOf } from './standing.ts';
import { aboutTexts, toolMeant } from './explain-texts.ts';

export interface ExplainQuestion {
  /** E-mail, `service:<name>`, or `*@domain` for anybody of a domain. */
  readonly user: string;
  readonly server: string;
  readonly tool?: string | undefined;
  readonly tenant?: string | undefined;
}

/** A tool by the name that its server gives it, as the caller's tenant reaches the server. */
export interface WithheldQuestion {
  readonly server: string;
  readonly tool: string;
  readonly tenant: string | null;
}

/** Why nobody gets a tool whatever the rights, as a sentence; undefined: rights alone decide. */
export type Withheld = (question: WithheldQuestion) => string | undefined;

/**
 * Explains what can() decides for somebody's stored rights at `now` (milliseconds since the epoch); groups
 * that only a sign-in token asserts are not known here. With `tenant`, acting in it must be allowed as well. A tool may
 * be given by the name that this person sees; the answer is about the tool by the name that its server gives it. What is
 * `withheld` is not allowed, whatever the rights.
 */
export function explain(
  snapshot: Snapshot,
  wanted: ExplainQuestion,
  now: number,
  withheld: Withheld = () => undefined,
): Explanation {
  const principal = storedPrincipal(wanted.user);
  const standing = standingOf(snapshot, principal, now);
  const question = { ...wanted, tool: toolMeant(snapshot, standing, wanted) };
  const decision = can(snapshot, principal, asked(question), now);
  const tenant = aboutTenant(snapshot, principal, question, now);
  const held =
    question.tool === undefined
      ? undefined
      : withheld({ ...question, tool: question.tool, tenant: tenant.id });
  const allowed = decision.allow && tenant.ok && held === undefined;
  const reasons = [
    `${question.user} ${allowed ? 'may' : 'may not'} ${wish(question)}.`,
    ...aboutTexts(snapshot, standing, question, wanted.tool),
    ...aboutServer(snapshot, question),
    ...(held === undefined ? [] : [held]),
    ...aboutMember(snapshot, principal),
    ...aboutGrants(snapshot, principal, question, now),
    ...(decision.allow || decision.reason === 'user_disabled'
      ? []
      : nearMisses(snapshot, principal, question, now)),
    ...tenant.reasons,
  ];
  return { allowed, reasons };
}

/** Somebody as far as what is stored says who it is: without what a sign-in would add. */
export function storedPrincipal(user: string): Principal {
  const kind = user.startsWith('service:') ? 'service' : 'user';
  const nothingAsserted = { assertedGroups: [], assertedBy: null, tokenTenant: null };
  return { kind, id: user, ...nothingAsserted, authSource: 'explain', credentialId: 'explain' };
}

function asked({ server, tool }: ExplainQuestion): { server: string; tool?: string } {
  return tool === undefined ? { server } : { server, tool };
}

function wish({ server, tool, tenant }: ExplainQuestion): string {
  const what =
    tool === undefined ? `see the server ${server}` : `call the tool ${tool} of the server ${server}`;
  return tenant === undefined ? what : `${what} for the tenant ${tenant}`;
}

function aboutServer(snapshot: Snapshot, { server: id, tool }: ExplainQuestion): string[] {
  const server = snapshot.servers.get(id);
  const problem = snapshot.problems.find((entry) => entry.server === id);
  if (problem !== undefined) return [problem.message];
  if (server === undefined)
    return [`There is no server ${id}${didYouMean(id, snapshot.servers.keys()) || '.'}`];
  if (!server.definition.enabled) return [`The server ${id} is disabled: nobody sees it, admins included.`];
  if (tool === undefined || server.rule.allows(tool)) return [];
  return [
    `The server ${id} offers only ${listed(server.rule)}, so the tool ${tool} is off for everyone, admins included.`,
  ];
}

function aboutMember(snapshot: Snapshot, { id, kind }: Principal): string[] {
  const member = snapshot.members.get(id);
  if (member?.disabled) return [`${id} is disabled, so nothing is allowed.`];
  if (member !== undefined || id.startsWith('*@')) return [];
  const when =
    kind === 'service' ? 'has no entry of its own' : 'is not known yet and appears at the first sign-in';
  return [`${id} ${when}, with no access until a group or a grant gives some.`];
}

function aboutGrants(
  snapshot: Snapshot,
  principal: Principal,
  question: ExplainQuestion,
  now: number,
): string[] {
  const { id } = principal;
  const member = snapshot.members.get(id);
  const domain = id.slice(id.lastIndexOf('@') + 1);
  const stored = principal.kind === 'user' ? snapshot.patterns.get(domain) : undefined;
  const pattern = patternOf(snapshot, principal);
  const off = stored?.disabled ? [`The entry ${stored.id} is disabled, so it gives nothing.`] : [];
  return [
    ...(member ? fromMember(member, id, question, now) : []),
    ...(pattern ? fromMember(pattern, `Everybody of ${domain}`, question, now) : []),
    ...off,
  ];
}

function fromMember(member: Member, who: string, question: ExplainQuestion, now: number): string[] {
  const relevant = member.memberships.filter(({ group }) => group.admin || group.grants.has(question.server));
  const others = member.memberships.filter((held) => !relevant.includes(held) && isCurrent(held, now));
  const own = member.grants.get(question.server);
  return [
    ...relevant.map((membership) => aboutMembership(membership, who, question, now)),
    ...(own
      ? [`${who} has a grant of its own of ${question.server}: ${listed(own)}${coverage(own, question)}.`]
      : []),
    ...(others.length > 0
      ? [`${who} is also in ${some(names(others))}, without any grant of ${question.server}.`]
      : []),
    ...(member.memberships.length === 0 ? [`${who} is in no group.`] : []),
  ];
}

function aboutMembership(held: Membership, who: string, question: ExplainQuestion, now: number): string {
  const { group, expiresAt } = held;
  if (expiresAt !== null && expiresAt <= now) {
    return `${who} was in ${group.name} (${origin(held.source)}) until ${new Date(expiresAt).toISOString()}; that has expired.`;
  }
  const inGroup = `${who} is in ${group.name} (${origin(held.source)})`;
  if (group.admin) return `${inGroup}, an admin group: it may use every enabled server.`;
  const rule = group.grants.get(question.server);
  if (rule === undefined) return `${inGroup}.`;
  return `${inGroup}, which grants ${question.server}: ${listed(rule)}${coverage(rule, question)}.`;
}

function coverage(rule: ToolRule, { tool }: ExplainQuestion): string {
  if (tool === undefined) return '';
  return rule.allows(tool) ? `; that covers ${tool}` : `; that does not cover ${tool}`;
}

/** Groups that would have given it, so that the reader knows what to do next. */
function nearMisses(
  snapshot: Snapshot,
  principal: Principal,
  question: ExplainQuestion,
  now: number,
): string[] {
  const { server, tool } = question;
  const offered = snapshot.servers.get(server);
  if (!offered?.definition.enabled || (tool !== undefined && !offered.rule.allows(tool))) return [];
  const { groups } = standingOf(snapshot, principal, now);
  const gives = (group: Group) => {
    const rule = group.grants.get(server);
    return rule !== undefined && (tool === undefined || rule.allows(tool)) && !groups.has(group);
  };
  const giving = [...snapshot.groups.values()].filter(gives).map((group) => group.name);
  const missing =
    tool === undefined
      ? `No grant of ${principal.id} gives the server ${server}.`
      : `No grant matches the tool ${tool}.`;
  if (giving.length === 0)
    return [missing, `No other group grants it; grant ${server} to a group or to ${principal.id}.`];
  return [missing, `Being in one of these groups would give it: ${some(giving)}.`];
}

function aboutTenant(
  snapshot: Snapshot,
  principal: Principal,
  { tenant }: ExplainQuestion,
  now: number,
): { ok: boolean; id: string | null; reasons: string[] } {
  const active = activeTenant(snapshot, principal, rightsOf(snapshot, principal, now), tenant ?? null);
  if (tenant === undefined) {
    const id = active.ok ? (active.tenant?.id ?? null) : null;
    if (active.ok || active.code !== 'tenant_ambiguous') return { ok: true, id, reasons: [] };
    const reason = `${principal.id} has several tenants (${some(active.choices)}) and no default one, so a request must name one: /t/{tenant}/mcp.`;
    return { ok: true, id, reasons: [reason] };
  }
  if (active.ok)
    return { ok: true, id: tenant, reasons: [`${principal.id} may act for the tenant ${tenant}.`] };
  const known = snapshot.tenants.get(tenant);
  if (known === undefined)
    return {
      ok: false,
      id: null,
      reasons: [`There is no tenant ${tenant}${didYouMean(tenant, snapshot.tenants.keys()) || '.'}`],
    };
  if (!known.enabled) return { ok: false, id: null, reasons: [`The tenant ${tenant} is disabled.`] };
  const reason = `${principal.id} is not of the tenant ${tenant}: no group that names it, and no e-mail domain of it.`;
  return { ok: false, id: null, reasons: [reason] };
}

function isCurrent(held: Membership, now: number): boolean {
  return held.expiresAt === null || held.expiresAt > now;
}

function names(held: readonly Membership[]): string[] {
  return [...new Set(held.map(({ group }) => group.name))];
}

function origin(source: string): string {
  if (source === 'file') return 'from the config file';
  if (source === 'admin') return 'added by an administrator';
  if (source.startsWith('oidc:')) return `from the sign-in provider ${source.slice(5)}`;
  return `from ${source}`;
}

function listed(rule: ToolRule): string {
  return rule.whole && rule.patterns.length === 1 ? 'all tools' : rule.patterns.join(', ') || 'no tool';
}

const mostNames = 10;

function some(all: readonly string[]): string {
  const rest = all.length - mostNames;
  return rest > 0 ? `${all.slice(0, mostNames).join(', ')} and ${rest} more` : all.join(', ');
}
