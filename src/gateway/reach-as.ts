// Servers as administrators ask about them: as a tenant's, as one person's, or as nobody's in particular.
import { activeTenant, filledFor, rightsOf, type SnapshotServer, storedPrincipal } from '../access/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Gate, Reaching } from './call.ts';
import { notFilled } from './refusals.ts';
import { missingName, targetOf } from './steps/attach-credentials.ts';
import type { Target } from './upstreams/target.ts';

/** The query of an endpoint that looks at a server through somebody's eyes. */
export interface AsWhom {
  readonly tenant?: string | undefined;
  /** E-mail, or `service:<name>`. */
  readonly user?: string | undefined;
}

const nobody = 'service:toolgate';

/** Throws `server_not_found` (404) and, unless it may be disabled, `server_disabled` (409). */
export function serverAsked(gate: Gate, id: string, o: { mayBeDisabled?: true } = {}): SnapshotServer {
  const server = gate.snapshot().servers.get(id);
  if (!server) throw new AppError('server_not_found', 404, `There is no server "${id}".`);
  if (!server.definition.enabled && !o.mayBeDisabled)
    throw new AppError('server_disabled', 409, `The server "${id}" is disabled; enable it first.`);
  return server;
}

/**
 * Somebody as far as what is stored says who it is, in the tenant that is named, else in the one that would be active.
 * Throws AppError where that cannot be.
 */
export function reachingAs(gate: Gate, { tenant: named, user }: AsWhom): Reaching {
  const snapshot = gate.snapshot();
  const principal = storedPrincipal(user ?? nobody);
  const rights = rightsOf(snapshot, principal, gate.clock());
  const base = { snapshot, principal, rights, session: null, subjectToken: () => undefined };
  const tenant = named === undefined ? null : (snapshot.tenants.get(named) ?? null);
  if (named !== undefined && tenant === null)
    throw new AppError('tenant_not_found', 404, `There is no tenant "${named}".`);
  if (user === undefined) return { ...base, tenant };
  if (rights.disabled)
    throw new AppError(
      'user_disabled',
      409,
      `${user} is disabled, so no call of theirs would come this far.`,
    );
  const active = activeTenant(snapshot, principal, rights, named ?? null);
  if (active.ok) return { ...base, tenant: active.tenant };
  throw active.code === 'tenant_ambiguous'
    ? new AppError(
        active.code,
        409,
        `${user} is in several tenants (${active.choices.join(', ')}): name one.`,
      )
    : new AppError(active.code, 409, `${user} cannot act for the tenant "${named}".`);
}

/** Throws AppError where nothing could be sent: a variable or a key is missing. */
export function targetAs(gate: Gate, id: string, whom: AsWhom): Target {
  const server = serverAsked(gate, id);
  const reaching = reachingAs(gate, whom);
  const { snapshot, tenant } = reaching;
  const filled = filledFor(snapshot, server, tenant);
  if (!filled.ok) {
    const { code, message } = notFilled(id, tenant, filled);
    throw new AppError(code, 409, message);
  }
  const target = targetOf(reaching, gate, server);
  if (target) return target;
  const name = missingName(reaching, gate, { server, filled }) ?? 'default';
  throw new AppError('no_credential', 409, `The server "${id}" needs the key "${name}", which is not set.`);
}
