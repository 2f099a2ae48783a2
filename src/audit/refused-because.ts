// Which requests are refused sign-ins: somebody showed something that proves nobody, or tried what is not for them.
import type { CallRecord } from './contract.ts';

/** Refusals of who is known, or of where a request came from, that an attack would bring. */
const telling = new Set(['user_disabled', 'not_an_admin', 'origin_not_allowed', 'form_foreign']);

/** Where people type a password, or come back from a sign-in service. Open WebUI answers a wrong password with 400. */
const signIns: ReadonlyMap<string, string> = new Map([
  ['/api/v1/auths/signin', 'open_webui_sign_in'],
  ['/api/v1/auths/ldap', 'open_webui_sign_in'],
  ['/gateway/sign-in/callback', 'sign_in_failed'],
]);

/** Why it is one; undefined: it is none. A client that asks without a credential first, as MCP has it, tries nothing. */
export function refusedBecause(call: CallRecord): string | undefined {
  const { face, endpoint, reason, refusal, status, outcome } = call;
  if (refusal === 'no_credential') return undefined;
  if (reason !== null && telling.has(reason)) return reason;
  if (status < 400 || status >= 500 || outcome === 'rate_limited') return undefined;
  const at = signIns.get(endpoint);
  if (at !== undefined) return at;
  // A page of Open WebUI asks for much before anybody has signed in.
  if (status !== 401 || face === 'webui') return undefined;
  return refusal ?? reason ?? 'unauthenticated';
}
