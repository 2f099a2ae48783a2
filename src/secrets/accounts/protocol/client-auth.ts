import {
  type AuthorizationServer,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  None,
} from 'oauth4webapi';
import type { GateClient } from '../clients/gate-client.ts';
import { clientRefused } from '../errors.ts';

/** How a client proves itself (RFC 6749 2.3.1): as it was registered, else as the server's metadata says. */
export function clientAuth(
  client: GateClient,
  server: Pick<AuthorizationServer, 'issuer' | 'token_endpoint_auth_methods_supported'>,
): ClientAuth {
  const { secret, method } = client;
  if (secret === null) return None();
  // RFC 8414 2: what is not said means client_secret_basic.
  const known = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const wanted = method ?? ['client_secret_basic', 'client_secret_post'].find((one) => known.includes(one));
  if (wanted === 'client_secret_basic') return ClientSecretBasic(secret);
  if (wanted === 'client_secret_post') return ClientSecretPost(secret);
  if (wanted === 'none') return None();
  throw clientRefused(server.issuer, `it wants one of ${known.join(', ')}, which the gate cannot`);
}
