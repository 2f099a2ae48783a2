import { generic } from './generic.ts';
import { text, type TokenShape } from './token-shape.ts';

/** Keycloak: the generic shape, and a claim of its own that tells access tokens from ID and refresh tokens. */
export const keycloak: TokenShape = {
  ...generic,
  refusal: (token) =>
    token.claims['typ'] === undefined || token.claims['typ'] === 'Bearer'
      ? generic.refusal(token)
      : 'not_access_token',
  // `client_id` comes from the service account scope only, so that nobody becomes a program by a clever user name.
  application({ azp, client_id: client, preferred_username: name }) {
    const id = text(azp);
    return id !== undefined && id === client && name === `service-account-${id.toLowerCase()}`
      ? id
      : undefined;
  },
};
