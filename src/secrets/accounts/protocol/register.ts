import { z } from 'zod';
import { FetchFailed, type GuardedFetch } from '../../../platform/guarded-fetch.ts';
import type { ClientSecret } from '../clients/client-seal.ts';
import { quote } from '../errors.ts';
import { describe, type GateIdentity, redirectUriAt } from './gate-identity.ts';
import type { SignInServer } from './server-metadata.ts';
import { holdable } from '../tokens.ts';

export type Registration =
  | { readonly registered: ClientSecret; readonly expiresAt: number | null }
  /** A part of a sentence. */
  | { readonly refused: string };

const answer = z.object({
  client_id: z.string().min(1).max(2000),
  client_secret: z.string().max(4000).nullish(),
  client_secret_expires_at: z.coerce.number().nonnegative().nullish(),
  token_endpoint_auth_method: z.string().max(100).nullish(),
});
const refusal = z.object({ error: z.string(), error_description: z.string().optional() });

/** RFC 7591. Rejects with a FetchFailed. */
export async function register(
  { fetch }: Pick<GuardedFetch, 'fetch'>,
  server: SignInServer,
  gate: GateIdentity,
  trustedOrigin: string | null,
): Promise<Registration> {
  if (server.registration_endpoint === undefined)
    return { refused: 'it neither registers clients by itself nor takes the gate’s metadata document' };
  const redirectUri = redirectUriAt(gate, server.issuer);
  const body = { ...describe(gate, redirectUri), token_endpoint_auth_method: methodFor(server) };
  const response = await fetch(server.registration_endpoint, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify(body),
    trustedOrigin,
  });
  const text = await response.text();
  const found = answer.safeParse(json(text));
  // RFC 7591 3.2.1 says 201, and some say 200.
  if ((response.status !== 201 && response.status !== 200) || !found.success) {
    return { refused: `it refused to register the gate (${wordsOf(text) ?? `HTTP ${response.status}`})` };
  }
  const {
    client_id,
    client_secret,
    client_secret_expires_at: seconds,
    token_endpoint_auth_method,
  } = found.data;
  return {
    registered: {
      clientId: client_id,
      secret: client_secret ?? null,
      method: token_endpoint_auth_method ?? body.token_endpoint_auth_method,
      redirectUri,
    },
    expiresAt: client_secret && seconds ? holdable(seconds * 1000) : null,
  };
}

/** A public client first: its secret cannot expire, and PKCE and rotation protect what it gets (OAuth 2.1 4.3.1). */
function methodFor({
  token_endpoint_auth_methods_supported: known = ['client_secret_basic'],
}: SignInServer): string {
  return ['none', 'client_secret_basic', 'client_secret_post'].find((one) => known.includes(one)) ?? 'none';
}

function wordsOf(text: string): string | undefined {
  const found = refusal.safeParse(json(text));
  return found.success ? quote(found.data.error_description ?? found.data.error) : undefined;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever reads it says what that means.
    return undefined;
  }
}

/** What a failed fetch means for a registration. */
export function notReached(error: unknown): string {
  if (error instanceof FetchFailed) return `${error.host}, where it registers clients, ${error.message}`;
  throw error;
}
