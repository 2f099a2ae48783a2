// An OpenID Connect provider on loopback: discovery, keys, and tokens of any shape signed with real keys.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export interface FakeIssuer {
  readonly origin: string;
  /** The keys it publishes. */
  keys: SigningKey[];
  /** Answers 503 to everything while true. */
  down: boolean;
  /** How often its keys were fetched. */
  keyFetches: number;
  /** Fields added to each published key, such as Entra's `issuer`. */
  keyFields: Record<string, unknown>;
  /** What a discovery document says in `issuer`, when that is not the URL it was asked under. */
  readonly aliases: Map<string, string>;
  /** Signs with `key`, the first published one when left out. Nothing is added to the claims. */
  sign(claims: JWTPayload, o?: { key?: SigningKey; header?: Record<string, unknown> }): Promise<string>;
  close(): Promise<void>;
}

export async function makeKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

export async function startIssuer(): Promise<FakeIssuer> {
  const wellKnown = '/.well-known/openid-configuration';
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/keys') issuer.keyFetches += 1;
    response.statusCode = issuer.down ? 503 : 200;
    response.setHeader('content-type', 'application/json');
    const base = issuer.origin + path.slice(0, -wellKnown.length);
    const body = path.endsWith(wellKnown)
      ? { issuer: issuer.aliases.get(base) ?? base, jwks_uri: `${issuer.origin}/keys` }
      : { keys: issuer.keys.map(({ jwk }) => ({ ...jwk, ...issuer.keyFields })) };
    response.end(issuer.down ? '' : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const issuer: FakeIssuer = {
    origin: `http://127.0.0.1:${port}`,
    keys: [await makeKey('key-1')],
    down: false,
    keyFetches: 0,
    keyFields: {},
    aliases: new Map(),
    sign(claims, o = {}) {
      const key = o.key ?? issuer.keys[0]!;
      return new SignJWT(claims)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...o.header })
        .sign(key.privateKey);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}
