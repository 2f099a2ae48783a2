import { CredentialRefused } from '../errors.ts';
import { apiTokens } from './api-token.ts';
import { type ConnectionKeyDeps, connectionKeys } from './connection-key.ts';
import { type GatewaySignatureDeps, gatewaySignatures } from './gateway-signature.ts';
import { type OidcDeps, oidc } from './oidc.ts';
import type { OpenWebUiSessions } from './open-webui-session.ts';
import type { Credential, Provider } from './provider.ts';

/** The ways in. The first that recognises a credential decides alone: when it refuses, no other is asked. */
export function createProviders(
  deps: ConnectionKeyDeps &
    OidcDeps & {
      openWebUi: OpenWebUiSessions | undefined;
      gatewayInFront: GatewaySignatureDeps | undefined;
    },
): readonly Provider[] {
  const sessions = deps.openWebUi === undefined ? [] : [deps.openWebUi];
  const inFront = deps.gatewayInFront === undefined ? [] : [gatewaySignatures(deps.gatewayInFront)];
  return [...inFront, connectionKeys(deps), apiTokens(deps), ...sessions, oidc(deps)];
}

/** The one way in for a credential. Throws `CredentialRefused` when there is none. */
export function providerOf(providers: readonly Provider[], credential: Credential): Provider {
  const provider = providers.find((one) => one.recognises(credential));
  if (provider !== undefined) return provider;
  throw new CredentialRefused(
    'credential_unrecognised',
    'The bearer token is neither an API token nor an access token.',
  );
}
