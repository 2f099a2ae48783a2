// Headers that end at the gate. The names are compared as services behind may read them: without regard to case, and with
// "_" as "-", because CGI, WSGI and their like make one of the two (HTTP_X_USER_EMAIL).

/** RFC 9110 section 7.6.1, and what is about this one connection: it is said anew for the next. */
const hopByHop = new Set([
  ...['connection', 'proxy-connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade', 'content-length'],
  ...['proxy-authenticate', 'proxy-authorization', 'proxy-authentication-info', 'http2-settings', 'expect'],
]);

/** Who somebody is, by whatever proxy's convention: only the gate says so to what is behind it. */
const identity =
  /^x-user-|^x-gateway-|^x-auth-|^x-openwebui-|^x-authenticated-|^x-webauth-|^x-ms-client-principal|^x-amzn-oidc-|^x-goog-authenticated-|^x-goog-iap-|^cf-access-|^(?:x-)?remote-(?:user|email|name|groups?|role|addr|host)$|^x-(?:user|email|groups?|username|role)$|^ssl-client-/;

/** Where somebody comes from, and which address was asked for: known from the connection, or from a proxy that is trusted. */
const origin =
  /^x-forwarded-|^forwarded$|^x-real-ip$|^(?:x-)?(?:client|cluster-client|true-client)-ip$|^cf-connecting-ip|^fastly-client-ip$|^x-original-|^x-rewrite-url$|^x-host$|^x-envoy-/;

/** The one spelling of a name that decides. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-').trim();
}

export interface DroppedNames {
  /** Is this header one that no client may send past the gate? */
  isClaim(plain: string): boolean;
  isHop(plain: string): boolean;
}

/** `further`: names of this installation, such as those of Open WebUI's trusted-header login. `connection`: its `Connection` headers. */
export function droppedNames(further: readonly string[], connection: readonly string[]): DroppedNames {
  const own = new Set(further.map(plainName));
  const listed = new Set(connection.flatMap((value) => value.split(',').map(plainName)));
  return {
    isClaim: (plain) => identity.test(plain) || origin.test(plain) || own.has(plain),
    isHop: (plain) => hopByHop.has(plain) || listed.has(plain),
  };
}
