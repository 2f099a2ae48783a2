// What a principal holds at one moment, before any question is asked. can(), rightsOf() and explain() all read it here.
import { LRUCache } from 'lru-cache';
import type { Principal } from './contract.ts';
import type { ToolRule } from './patterns.ts';
import type { Group, Grants, Member, Snapshot, Tenant } from './snapshot.ts';

export interface Standing {
  readonly disabled: boolean;
  /** Every group whose grants count now, once each, in no particular order. */
  readonly groups: ReadonlySet<Group>;
  /** Every group that the principal is in now: more than `groups` where a URL is about one group. */
  readonly memberOf: ReadonlySet<Group>;
  readonly own: Grants | undefined;
  readonly pattern: Member | undefined;
  /** When the next membership expires, in milliseconds since the epoch; Infinity when none does. */
  readonly until: number;
}

/** One grant of a server, with the words that name where it comes from. */
export interface GrantHeld {
  readonly rule: ToolRule;
  readonly via: string;
}

const maxPrincipals = 20_000;
// A memo of a pure function: it dies with the snapshot it belongs to, so there is nothing to reset or close.
const memo = new WeakMap<Snapshot, Kept>();

interface Kept {
  readonly standings: LRUCache<string, Known>;
  /** One request asks several times in a row: for its rights, and for each decision. */
  last: { readonly principal: Principal; readonly known: Known } | undefined;
}

interface Known {
  readonly standing: Standing;
  readonly from: number;
}

/** What a principal holds at `now` (milliseconds since the epoch): the same object until that changes. */
export function standingOf(snapshot: Snapshot, principal: Principal, now: number): Standing {
  const kept = keptFor(snapshot);
  if (kept.last?.principal === principal && counts(kept.last.known, now)) return kept.last.known.standing;
  const key = keyOf(snapshot, principal);
  const found = kept.standings.get(key);
  const known =
    found !== undefined && counts(found, now)
      ? found
      : { standing: workOut(snapshot, principal, now), from: now };
  if (known !== found) kept.standings.set(key, known);
  kept.last = { principal, known };
  return known.standing;
}

function counts({ standing, from }: Known, now: number): boolean {
  return from <= now && now < standing.until;
}

function keptFor(snapshot: Snapshot): Kept {
  const known = memo.get(snapshot);
  if (known !== undefined) return known;
  const made: Kept = { standings: new LRUCache({ max: maxPrincipals }), last: undefined };
  memo.set(snapshot, made);
  return made;
}

/**
 * Everything that workOut() reads of a principal; JSON, because names out of a token may hold any character. Groups that
 * do not exist are all one: their names come out of URLs, of any length and as many as somebody likes.
 */
function keyOf(snapshot: Snapshot, principal: Principal): string {
  const who = `${principal.kind} ${principal.id}`;
  const { assertedBy, assertedGroups, onlyGroup } = principal;
  if (assertedBy === null && assertedGroups.length === 0 && onlyGroup === undefined) return who;
  const only = onlyGroup === undefined ? 'every group' : [snapshot.groups.has(onlyGroup) ? onlyGroup : null];
  return JSON.stringify([who, assertedBy, assertedGroups, only]);
}

/**
 * The groups of a principal: stored memberships that have not expired, its own and those of its address's
 * domain (never for services), and those that its credential asserts. Of the source that the credential
 * speaks for, stored memberships are ignored: the token is newer. Group names that do not exist give nothing.
 */
function workOut(snapshot: Snapshot, principal: Principal, now: number): Standing {
  const member = snapshot.members.get(principal.id);
  const pattern = patternOf(snapshot, principal);
  const memberOf = new Set<Group>();
  let until = Number.POSITIVE_INFINITY;
  for (const holder of [member, pattern]) {
    for (const { group, source, expiresAt } of holder?.memberships ?? []) {
      if (source === principal.assertedBy) continue;
      if (expiresAt !== null) {
        if (expiresAt <= now) continue;
        until = Math.min(until, expiresAt);
      }
      memberOf.add(group);
    }
  }
  for (const name of principal.assertedGroups) {
    const group = snapshot.groups.get(name);
    if (group !== undefined) memberOf.add(group);
  }
  const whole = { disabled: member?.disabled === true, groups: memberOf, memberOf, until };
  if (principal.onlyGroup === undefined) return { ...whole, own: member?.grants, pattern };
  const only = narrowed(snapshot, whole, principal.onlyGroup);
  return { ...whole, groups: only, own: undefined, pattern: undefined };
}

/** The one group, for those who are in it and for admins; for others it looks like one that does not exist. */
function narrowed(snapshot: Snapshot, whole: Pick<Standing, 'groups'>, name: string): Set<Group> {
  const group = snapshot.groups.get(name);
  const mayLook = group !== undefined && (whole.groups.has(group) || adminGroupOf(whole) !== undefined);
  return new Set(mayLook ? [group] : []);
}

/** Every grant of one server that the principal holds, admin groups aside. */
export function grantsOn(standing: Standing, server: string): GrantHeld[] {
  const held: GrantHeld[] = [];
  for (const group of standing.groups) {
    const rule = group.grants.get(server);
    if (rule !== undefined) held.push({ rule, via: `group ${group.name}` });
  }
  const own = standing.own?.get(server);
  if (own !== undefined) held.push({ rule: own, via: 'own grant' });
  const pattern = standing.pattern?.grants.get(server);
  if (pattern !== undefined) held.push({ rule: pattern, via: `pattern ${standing.pattern?.id}` });
  return held;
}

/** The admin group that the principal is in, if any. */
export function adminGroupOf(standing: Pick<Standing, 'groups'>): Group | undefined {
  for (const group of standing.groups) if (group.admin) return group;
  return undefined;
}

/**
 * Enabled tenants of the principal: those of its groups, and those of its address's domain; sorted by id. Where a URL
 * is about one group that is a tenant, that one.
 */
export function tenantsOf(snapshot: Snapshot, principal: Principal, standing: Standing): Tenant[] {
  const [only] = principal.onlyGroup === undefined ? [] : standing.groups;
  if (only !== undefined && only.tenant !== null) {
    const tenant = snapshot.tenants.get(only.tenant);
    return tenant?.enabled ? [tenant] : [];
  }
  const found = new Set<Tenant>();
  for (const { tenant } of standing.memberOf) {
    const known = tenant === null ? undefined : snapshot.tenants.get(tenant);
    if (known?.enabled) found.add(known);
  }
  for (const tenant of snapshot.tenantsByDomain.get(domainOf(principal) ?? '') ?? []) {
    if (tenant.enabled) found.add(tenant);
  }
  return [...found].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The `*@domain` entry that the principal's address matches. One that is disabled is switched off as a whole. */
export function patternOf(snapshot: Snapshot, principal: Principal): Member | undefined {
  const pattern = snapshot.patterns.get(domainOf(principal) ?? '');
  return pattern?.disabled ? undefined : pattern;
}

/** Services have no address, so no rule about addresses is ever about them. */
function domainOf(principal: Principal): string | undefined {
  const at = principal.id.lastIndexOf('@');
  return principal.kind === 'user' && at >= 0 ? principal.id.slice(at + 1) : undefined;
}
