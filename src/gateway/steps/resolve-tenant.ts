import { activeTenant, rightsOf } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { tenantAmbiguous, tenantUnknown, userDisabled } from '../refusals.ts';

/** The active tenant: whose credentials, endpoints and budget this call uses. */
export function resolveTenant(call: Call, gate: Gate): void {
  const principal = principalOf(call);
  call.snapshot = gate.snapshot();
  const rights = rightsOf(call.snapshot, principal, gate.clock());
  call.rights = rights;
  if (rights.disabled) throw userDisabled();
  const active = activeTenant(call.snapshot, principal, rights, call.path.tenant);
  if (!active.ok)
    throw active.code === 'tenant_unknown'
      ? tenantUnknown(call.path.tenant)
      : tenantAmbiguous(active.choices);
  call.tenant = active.tenant;
}
