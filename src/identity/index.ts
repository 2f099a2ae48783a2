// Who is calling: API tokens, connection keys and OIDC access tokens become principals here, and nowhere else.
// People appear in the database at their first request; what they may do is decided by access/.
export { createIdentity, type Identity, type IdentityDeps } from './authenticate.ts';
export type { Directory } from './directory.ts';
export type { CallerRequest } from './providers/provider.ts';
export { localTokens } from './local-tokens.ts';
export { identityRoutes } from './routes.ts';
