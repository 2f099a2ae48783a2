import type { Principal, TenantId } from './contract.ts';
import type { Rights } from './rights.ts';
import type { Snapshot, Tenant } from './snapshot.ts';
import { patternOf } from './standing.ts';

export type ActiveTenant =
  | { readonly ok: true; readonly tenant: Tenant | null }
  | {
      readonly ok: false;
      readonly code: 'tenant_unknown' | 'tenant_ambiguous';
      /** The tenants that the caller may name instead. */
      readonly choices: readonly TenantId[];
    };

/**
 * Which tenant's credentials, endpoints and budget a request uses: the path's, else the token's, else the
 * only one of the caller, else its default one. Null: the caller has none. A tenant that is disabled or not
 * the caller's looks like one that does not exist; an admin may name any enabled one; nobody leaves, by path,
 * the tenant that the token is bound to. A user's token is bound in vain once the user has left the tenant.
 */
export function activeTenant(
  snapshot: Snapshot,
  principal: Principal,
  rights: Rights,
  fromPath: string | null,
): ActiveTenant {
  const bound = principal.tokenTenant;
  if (fromPath !== null && bound !== null && fromPath !== bound) return unknown([bound]);
  const named = fromPath ?? bound;
  if (named !== null) return nameable(snapshot, principal, rights, named);

  const [only, ...others] = rights.tenants;
  if (only === undefined) return { ok: true, tenant: null };
  if (others.length === 0) return found(snapshot, only, rights.tenants);

  const preferred =
    snapshot.members.get(principal.id)?.defaultTenant ?? patternOf(snapshot, principal)?.defaultTenant;
  const mine = rights.tenants.find((tenant) => tenant === preferred);
  if (mine !== undefined) return found(snapshot, mine, rights.tenants);
  return { ok: false, code: 'tenant_ambiguous', choices: rights.tenants };
}

function nameable(snapshot: Snapshot, principal: Principal, rights: Rights, id: string): ActiveTenant {
  const mine = rights.tenants.some((tenant) => tenant === id);
  // An admin bound the service to it when the token was made; a service has no other way into a tenant.
  const boundService = principal.kind === 'service' && principal.tokenTenant === id;
  if (!mine && !boundService && !rights.admin) return unknown(rights.tenants);
  return found(snapshot, id, rights.tenants);
}

function found(snapshot: Snapshot, id: string, choices: readonly TenantId[]): ActiveTenant {
  const tenant = snapshot.tenants.get(id);
  return tenant?.enabled ? { ok: true, tenant } : unknown(choices);
}

function unknown(choices: readonly TenantId[]): ActiveTenant {
  return { ok: false, code: 'tenant_unknown', choices };
}
