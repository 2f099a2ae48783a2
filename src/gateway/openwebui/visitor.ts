import { activeTenant, rightsOf } from '../../access/index.ts';
import type { SignedIdentity, Visitor } from '../../identity/index.ts';
import type { Call, Gate } from '../call.ts';
import { userDisabled } from '../refusals.ts';

/** Who is calling Open WebUI, when that is somebody whom it knows. */
export interface Visitors {
  /** Undefined: a token that does not count there. Throws or rejects when nobody can tell. */
  visitorOf(token: string, clientIp: string): Visitor | undefined | Promise<Visitor | undefined>;
  /** The next question about this token goes to Open WebUI. */
  forget(token: string): void;
  /** What is said of a person to Open WebUI; names and values in turn. */
  sign(facts: SignedIdentity): Promise<readonly string[]>;
}

/** Fills in who it is. Whom Open WebUI does not know goes on as nobody: signing in, and what is public, is its own affair. */
export async function recognise(
  call: Call,
  gate: Gate,
  o: { readonly visitors: Visitors; readonly token: string | undefined },
): Promise<readonly string[]> {
  if (o.token === undefined) return [];
  const visitor = await o.visitors.visitorOf(o.token, call.clientIp);
  if (visitor === undefined) return [];
  const { principal, displayName } = visitor;
  call.principal = principal;
  call.snapshot = gate.snapshot();
  const rights = rightsOf(call.snapshot, principal, gate.clock());
  call.rights = rights;
  if (rights.disabled) throw userDisabled();
  // For the record alone: a person of several tenants chooses between them where tools are called.
  const active = activeTenant(call.snapshot, principal, rights, null);
  call.tenant = active.ok ? active.tenant : null;
  return o.visitors.sign({
    ...{ email: principal.id, name: displayName, groups: rights.groups, admin: rights.admin },
    authSource: principal.authSource,
  });
}
