/** What a 401 or a 403 says about where to sign in, and for what (RFC 9728 5.1, RFC 6750 3). */
export interface Challenge {
  readonly resourceMetadata: string | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly error: string | undefined;
}

// RFC 9110 11.2: a scheme, or a name with a token or a quoted string, after a comma or white space.
const part = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;

/** The Bearer challenge of a `WWW-Authenticate` header; parameters of other schemes do not count. */
export function readChallenge(header: string | null): Challenge {
  const parameters = new Map<string, string>();
  const text = header ?? '';
  let isBearer = false;
  part.lastIndex = 0;
  for (let found = part.exec(text); found; found = part.exec(text)) {
    const [, name = '', quoted, plain] = found;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) isBearer = name.toLowerCase() === 'bearer';
    else if (isBearer && !parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  }
  const scope = parameters.get('scope');
  return {
    resourceMetadata: parameters.get('resource_metadata'),
    scopes: scope === undefined ? undefined : scopesOf(scope),
    error: parameters.get('error'),
  };
}

/** A space-separated list, as RFC 6749 3.3 spells scopes; what cannot be one is left out. */
export function scopesOf(text: string): string[] {
  const found = text.split(/\s+/).filter(isScope);
  return [...new Set(found)].slice(0, 100);
}

/** RFC 6749 3.3, and not longer than anybody needs. */
export function isScope(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(text);
}
