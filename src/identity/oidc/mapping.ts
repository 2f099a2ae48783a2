import type { Principal } from '../../access/contract.ts';
import type { Log } from '../../platform/log.ts';
import type { Directory } from '../directory.ts';
import { CredentialRefused } from '../errors.ts';
import type { Provisioning } from '../provisioning.ts';
import type { TokenFacts } from './token-facts.ts';

/** Holds what a token states against the directory: whom it means and which groups here. */
export interface Mapping {
  /** Throws `CredentialRefused` when the address belongs to another person of the same issuer. */
  principal(facts: TokenFacts, directory: Directory): Principal;
  /** Tells provisioning about the person. */
  sight(facts: TokenFacts, principal: Principal): void;
}

export function createMapping(deps: { provisioning: Provisioning; log: Log }): Mapping {
  const warned = new Set<string>();

  /** The person is (issuer, subject): a changed address stays the same person, a re-used one is another. */
  function userOf(facts: TokenFacts, directory: Directory): string {
    const { issuer } = facts.trusted.config;
    const linked = directory.memberByIdentity(issuer, facts.subject);
    if (linked !== undefined) return linked.id;
    const holder = directory.members.get(facts.id)?.identities.find((identity) => identity.issuer === issuer);
    const free = holder === undefined || holder.subject === facts.subject;
    const email = free ? deps.provisioning.reserve({ issuer, subject: facts.subject }, facts.id) : undefined;
    if (email !== undefined) return email;
    deps.provisioning.conflicted({ issuer, subject: facts.subject }, facts.id);
    throw new CredentialRefused(
      'identity_conflict',
      'This e-mail address belongs to another account of the same sign-in service; an administrator can unlink the old one.',
      { issuer: facts.trusted.config.name },
    );
  }

  function warnOfOverage({ trusted, groups }: TokenFacts): void {
    const { name } = trusted.config;
    if (groups.state !== 'overage' || warned.has(name)) return;
    warned.add(name);
    deps.log.warn(
      { issuer: name },
      'tokens of this issuer leave the groups out because there are too many; have it send only the groups assigned to this application',
    );
  }

  return {
    principal(facts, directory) {
      const { config } = facts.trusted;
      const source = sourceOf(facts);
      const { groups } = facts;
      const values = groups.state === 'present' ? [...groups.values, ...facts.roles] : facts.roles;
      return {
        kind: facts.kind,
        id: facts.kind === 'service' ? facts.id : userOf(facts, directory),
        assertedGroups: mapGroups(values, directory),
        assertedBy: groups.state === 'present' ? source : null,
        tokenTenant: null,
        authSource: source,
        credentialId: `oidc:${config.name}:${facts.subject}`,
      };
    },
    sight(facts, { kind, id, assertedGroups }) {
      warnOfOverage(facts);
      deps.provisioning.sighted({
        id,
        source: sourceOf(facts),
        displayName: facts.displayName,
        identity: kind === 'user' ? { issuer: facts.trusted.config.issuer, subject: facts.subject } : null,
        groups: facts.groups.state === 'present' ? assertedGroups : null,
        issuedAt: facts.issuedAt,
      });
    },
  };
}

function sourceOf({ trusted }: TokenFacts): string {
  return `oidc:${trusted.config.name}`;
}

/** Groups of the provider that exist here, by name or external id; Keycloak's `/a/b` also as `a/b`. */
export function mapGroups(values: readonly string[], directory: Directory): string[] {
  const found = new Set<string>();
  for (const value of values) {
    for (const spelling of value.startsWith('/') ? [value, value.slice(1)] : [value]) {
      if (directory.groups.has(spelling)) found.add(spelling);
      for (const group of directory.groupsByExternalId.get(spelling) ?? []) found.add(group.name);
    }
  }
  return [...found].sort();
}
