// Who is calling: API tokens, connection keys and OIDC access tokens become principals here, and nowhere else.
// People appear in the database at their first request; what they may do is decided by access/.
export { createIdentity, type Identity } from './authenticate.ts';
export { localTokens } from './local-tokens.ts';
export { identityRoutes } from './routes.ts';
export { type Browser, createBrowser } from './browser/browser.ts';
export type { BrowserSession } from './browser/sessions.ts';
export type { Visitor } from './providers/open-webui-session.ts';
export { createSessionCheck, type SessionCheck } from './open-webui/session-check.ts';
export {
  createIdentitySigner,
  signatureHeader,
  type IdentitySigner,
  type SignedIdentity,
} from './open-webui/signed-identity.ts';
