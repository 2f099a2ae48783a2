import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { AdapterFactory, AdapterPayload, ClientMetadata, Configuration } from 'oidc-provider';
import { OidcMemory } from './oidc-memory.ts';

export interface OAuthServerOptions {
  /**
   * Where the server says who signs people in: in the answer to a request without a token (default), only at the
   * well-known address of its path, only at that of its host, or nowhere, as before 2025-06-18.
   */
  readonly says?: 'challenge' | 'path' | 'host' | 'nothing';
  /** Who may register a client: anybody (default), whoever has a token for it, nobody. */
  readonly registration?: 'open' | 'gated' | 'none';
  /** Metadata documents of clients that can be fetched, by client id. */
  readonly documents?: ReadonlyMap<string, () => unknown>;
  /** Clients that were registered by hand. */
  readonly clients?: readonly ClientMetadata[];
  readonly accessTokenSeconds?: number;
  /** Nobody gets a refresh token. */
  readonly noRefreshTokens?: boolean;
  /** Requests without a token are answered, as by servers that ask for one only when a tool is called. */
  readonly open?: boolean;
  /** Changes what is published: the authorization server's metadata, or the server's own. */
  readonly metadata?: (document: Record<string, unknown>) => void;
  readonly resource?: (document: Record<string, unknown>) => void;
  /** Changes where the browser is sent back to. */
  readonly callback?: (url: URL) => void;
}

// ID tokens are signed with it; nothing reads them.
const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
/** Those of the MCP server. */
export const scopes = 'mcp:read mcp:write';

/** Refresh tokens rotate, and one that is used twice ends everything (RFC 9700 4.14.2). */
export function configuration(o: OAuthServerOptions): Configuration {
  const documents = o.documents;
  return {
    clients: [...(o.clients ?? [])],
    adapter: adapterOf(new Map()),
    jwks: { keys: [signingKey] },
    cookies: { keys: [randomUUID()] },
    scopes: ['openid', 'offline_access', ...scopes.split(' ')],
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx, client) => !o.noRefreshTokens && client.grantTypeAllowed('refresh_token'),
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    ttl: {
      AccessToken: o.accessTokenSeconds ?? 3600,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 600,
    },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: () => true },
      registration: {
        enabled: (o.registration ?? 'open') !== 'none',
        initialAccessToken: o.registration === 'gated' ? 'by-invitation' : false,
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          ...{ scope: scopes, audience: resource, accessTokenFormat: 'opaque' as const },
          accessTokenTTL: o.accessTokenSeconds ?? 3600,
        }),
      },
      ...(documents === undefined ? {} : { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } }),
    },
    ...(documents === undefined ? {} : { fetch: (to: string | URL | Request) => served(documents, to) }),
  };
}

function adapterOf(stored: Map<string, AdapterPayload>): AdapterFactory {
  return (model) => new OidcMemory(model, stored);
}

/** The documents of clients, without the network between. */
async function served(
  documents: ReadonlyMap<string, () => unknown>,
  to: string | URL | Request,
): Promise<Response> {
  const document = documents.get(to instanceof Request ? to.url : String(to));
  if (!document) return new Response(null, { status: 404 });
  return Response.json(document());
}
