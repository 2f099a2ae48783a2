import { createHash } from 'node:crypto';
import { clientMetadataPath, issuerCallback, issuerMetadata } from '../accounts.ts';

/** The gate as a client at authorization servers. */
export interface GateIdentity {
  readonly publicUrl: string;
  /** Where browsers come back to for clients that were registered by hand, whatever their authorization server. */
  readonly redirectUri: string;
}

/**
 * Where browsers come back to from one authorization server and from no other: the answer of an honest one that does
 * not name itself (`iss`) cannot be taken for that of another (RFC 9700 4.4.2.2).
 */
export function redirectUriAt({ publicUrl }: GateIdentity, issuer: string): string {
  return new URL(issuerCallback + markOf(issuer), publicUrl).href;
}

/**
 * The address of the metadata document for one authorization server, which is the client id there; null where nobody
 * could fetch it.
 */
export function metadataUrlAt({ publicUrl }: GateIdentity, issuer: string): string | null {
  return fetchable(new URL(`${issuerMetadata}${markOf(issuer)}.json`, publicUrl));
}

/** draft-ietf-oauth-client-id-metadata-document: what an authorization server fetches at `path` to know the gate. */
export function metadataDocument(gate: GateIdentity, path: string): Readonly<Record<string, unknown>> | null {
  const mark = path.startsWith(issuerMetadata) ? path.slice(issuerMetadata.length, -'.json'.length) : null;
  if (path !== clientMetadataPath && `${issuerMetadata}${mark}.json` !== path) return null;
  if (mark !== null && !isMark.test(mark)) return null;
  const id = fetchable(new URL(path, gate.publicUrl));
  const redirectUri = mark === null ? gate.redirectUri : new URL(issuerCallback + mark, gate.publicUrl).href;
  return id === null
    ? null
    : { client_id: id, ...describe(gate, redirectUri), token_endpoint_auth_method: 'none' };
}

/** What is the same in a registration and in the metadata document. */
export function describe({ publicUrl }: GateIdentity, redirectUri: string) {
  return {
    client_name: 'Toolgate',
    client_uri: publicUrl,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    // OpenID Connect Registration 2: a web client has no redirect URI on this machine.
    application_type: /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(redirectUri).hostname)
      ? 'native'
      : 'web',
  };
}

/** Is this id one of ours at that authorization server? The one without an issuer was used before there were others. */
export function isOwnMetadataUrl(gate: GateIdentity, issuer: string, id: string): boolean {
  return id === metadataUrlAt(gate, issuer) || id === fetchable(new URL(clientMetadataPath, gate.publicUrl));
}

const isMark = /^[A-Za-z0-9_-]{22}$/;

/** 132 bits of a hash: nobody finds two issuers with one. */
function markOf(issuer: string): string {
  return createHash('sha256').update(issuer).digest('base64url').slice(0, 22);
}

function fetchable(url: URL): string | null {
  return url.protocol === 'https:' ? url.href : null;
}
