import type { IncomingMessage } from 'node:http';

/** A cookie that no script reads, that other sites' forms do not bring along, and that no other host can set. */
export interface OwnCookie {
  /** Its value in a request; undefined when it is missing, or there twice: one of the two is somebody else's. */
  read(req: IncomingMessage): string | undefined;
  /** Value of `Set-Cookie`. */
  set(value: string, seconds: number): string;
  clear(): string;
}

/** `isSecure`: people reach this program by https. Then a name with `__Host-` keeps other hosts from setting it. */
export function ownCookie(name: string, isSecure: boolean): OwnCookie {
  const full = isSecure ? `__Host-${name}` : name;
  // Lax: the cookie has to come along when an authorization server sends the browser back.
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return {
    read: (req) => cookieIn(req, full),
    set: (value, seconds) => `${full}=${value}; Max-Age=${seconds}; ${attributes}`,
    clear: () => `${full}=; Max-Age=0; ${attributes}`,
  };
}

/** The value of the only cookie of that name. */
export function cookieIn(req: IncomingMessage, name: string): string | undefined {
  const values = (req.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? values[0] : undefined;
}
