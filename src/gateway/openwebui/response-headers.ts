import type { IncomingMessage } from 'node:http';
import { droppedNames, plainName } from './header-names.ts';
import { pairsOf } from './raw-headers.ts';

/** Cookies of the gate: nobody behind it sets them. */
const ownCookie = /^\s*(?:__Host-|__Secure-)?toolgate_/i;

/** Headers of an answer on its way to the client, names and values in turn. */
export function responseHeaders(answer: IncomingMessage): string[] {
  const { connection = '', 'content-length': length, 'transfer-encoding': encoding } = answer.headers;
  const names = droppedNames([], [connection]);
  const passed = pairsOf(answer.rawHeaders).flatMap(([name, value]) => {
    const plain = plainName(name);
    if (names.isHop(plain) || isGates(plain)) return [];
    return plain === 'set-cookie' && ownCookie.test(value) ? [] : [name, value];
  });
  return length === undefined || encoding !== undefined ? passed : [...passed, 'Content-Length', length];
}

/** Trailers of an answer, without what must not come there (RFC 9110 section 6.5.1). */
export function responseTrailers(answer: IncomingMessage): [string, string][] {
  const names = droppedNames([], []);
  return pairsOf(answer.rawTrailers).filter(([name]) => {
    const plain = plainName(name);
    return !names.isHop(plain) && !isGates(plain) && plain !== 'set-cookie';
  });
}

/**
 * Which pages may read answers is the gate's own list to tell: by default Open WebUI allows every origin, with cookies. A
 * signature that was sent to it has no business in a browser.
 */
function isGates(plain: string): boolean {
  return plain === 'x-request-id' || /^access-control-|^x-gateway-|^x-user-/.test(plain);
}
