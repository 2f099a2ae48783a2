// Headers that end at the gate. The names are compared as services behind may read them: without regard to case, and with
// "_" as "-", because CGI, WSGI and their like make one of the two (HTTP_X_USER_EMAIL).

/** RFC 9110 section 7.6.1, and what is about this one connection: it is said anew for the next. */
const hopByHop = new Set([
  ...['connection', 'proxy-connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade', 'content-length'],
  ...['proxy-authenticate', 'proxy-authorization', 'proxy-authentication-info', 'http2-settings', 'expect'],
]);

/** Proxies that tell who somebody is in names of their own. */
const families = [
  ...['x-user', 'x-gateway', 'x-openwebui', 'x-authenticated', 'x-auth0', 'x-authentik', 'x-authelia'],
  ...['auth', 'x-auth', 'webauth', 'x-webauth', 'remote', 'x-remote', 'oidc', 'x-oidc', 'saml', 'x-saml'],
  ...['sm', 'shib', 'x-shib', 'x-sso', 'x-ldap', 'jwt', 'x-jwt', 'x-dex', 'x-okta', 'x-keycloak'],
  ...['tailscale', 'x-tailscale', 'x-pomerium', 'x-vouch', 'teleport', 'x-teleport', 'x-zitadel'],
  ...['x-consumer', 'x-hasura', 'x-anonymous', 'x-credential', 'x-kubernetes', 'x-scim', 'x-trusted'],
  ...['cf-access', 'x-goog', 'x-iap', 'x-appengine', 'x-ms-client', 'x-ms-token', 'x-azure'],
  ...['x-amzn-oidc', 'x-amzn-mtls', 'client-cert', 'x-client-cert', 'x-client-dn', 'x-client-verify'],
  ...['ssl', 'x-ssl', 'x-tls', 'x-cert', 'x-forwarded', 'forwarded', 'x-original', 'x-rewrite', 'x-host'],
  ...['x-envoy', 'x-arr', 'x-http-method', 'x-method-override', 'x-scheme', 'x-url-scheme'],
  ...['front-end-https', 'cf-connecting', 'x-proxyuser'],
];
const ofFamily = new RegExp(`^(?:${families.join('|')})(?:-|$)`);

/** Who somebody is, by whatever convention: only the gate says so to what is behind it. */
const identity =
  /user|login|mail|group|principal|identity|impersonat|assertion|claim|(?:^|-)(?:roles?|jwt|upn|uid|eppn|dn)(?:-|$)/;

/** Tokens that a proxy in front got for somebody; those against forged forms are pages' own. */
const token = /^x-(?!csrf-|xsrf-)(?:[\w-]+-)?token(?:-|$)/;

/** Where somebody comes from: known from the connection, or from a proxy that is trusted. */
const origin = /(?:^|-)(?:client|connecting|real|remote|source|peer|socket)-?ip(?:v6)?(?:-|$)/;

/** What browsers say of themselves. */
const ofBrowsers = new Set(['user-agent', 'sec-fetch-user']);

function isClaim(plain: string): boolean {
  if (ofBrowsers.has(plain)) return false;
  return ofFamily.test(plain) || identity.test(plain) || token.test(plain) || origin.test(plain);
}

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
    isClaim: (plain) => isClaim(plain) || own.has(plain),
    isHop: (plain) => hopByHop.has(plain) || listed.has(plain),
  };
}
