import type { Call, Gate } from '../call.ts';

/** Who is calling. Nothing of the request's body is read before this. */
export function authenticate(call: Call, gate: Gate): Promise<void> | void {
  const request = { header: call.header, clientIp: call.clientIp, path: call.path.raw };
  const principal = gate.identity.authenticate(request);
  if (!(principal instanceof Promise)) {
    call.principal = principal;
    return undefined;
  }
  return principal.then((found) => {
    call.principal = found;
  });
}
