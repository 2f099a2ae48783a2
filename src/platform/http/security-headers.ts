import type { ServerResponse } from 'node:http';

/**
 * What every answer says to browsers, unless the part that gives it says otherwise: it is no page, nothing is loaded or
 * run in it, nobody frames it, and other sites do not embed it.
 */
const strict: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  [
    'content-security-policy',
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  ],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cache-control', 'no-store'],
];

/** RFC 6797: for a year browsers come by https alone. Not for subdomains, which are somebody else's. */
const overHttps: readonly (readonly [string, string])[] = [['strict-transport-security', 'max-age=31536000']];

/** Sets them on an answer. `isSecure`: people reach this program by https. */
export function securityHeaders(isSecure: boolean): {
  /** For a part of this program. */
  protect(res: ServerResponse): void;
  /** For a program behind, which has pages and a policy of its own. */
  protectForeign(res: ServerResponse): void;
} {
  const own = isSecure ? [...strict, ...overHttps] : strict;
  const foreign = isSecure ? overHttps : [];
  return { protect: setter(own), protectForeign: setter(foreign) };
}

function setter(headers: readonly (readonly [string, string])[]): (res: ServerResponse) => void {
  return (res) => {
    for (const [name, value] of headers) res.setHeader(name, value);
  };
}
