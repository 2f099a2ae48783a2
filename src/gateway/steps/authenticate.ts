import type { Principal } from '../../access/contract.ts';
import type { Call, Gate } from '../call.ts';
import { audienceOf } from '../faces/client-ways.ts';

/** Who is calling. Nothing of the request's body is read before this. */
export function authenticate(call: Call, gate: Gate): Promise<void> | void {
  if (call.passing) return call.passing.identify(call, gate);
  if (call.proof) return know(call, call.proof());
  const request = { header: call.header, clientIp: call.clientIp, path: call.path.raw };
  const principal = gate.identity.authenticate(request);
  if (principal instanceof Promise) return principal.then((found) => know(call, found));
  return know(call, principal);
}

function know(call: Call, principal: Principal): void {
  const { group } = call.path;
  call.principal = group === null ? principal : { ...principal, onlyGroup: group };
  call.audience = audienceOf(principal, call.header);
}
