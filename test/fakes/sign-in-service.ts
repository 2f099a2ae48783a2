// An OpenID Connect provider that signs people in without asking: authorization endpoint, token endpoint, ID tokens.
// What it says, and how it lies, is up to the test.
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JWTPayload } from 'jose';
import { makeKey, type SigningKey } from './oidc-issuer.ts';
import { SignJWT } from 'jose';

interface Asked {
  readonly query: URLSearchParams;
  readonly claims: JWTPayload;
}

export interface SignInService {
  readonly origin: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Claims of whoever is "at the keyboard" there; null: they cancel. */
  person: JWTPayload | null;
  /** Changes the claims of the ID token last, after nonce, issuer and audience are in. */
  twist: (claims: JWTPayload) => JWTPayload;
  /** Signs instead of the published key. */
  otherKey: SigningKey | undefined;
  /** `iss` of the authorization response; undefined leaves it out. */
  responseIssuer: string | undefined;
  /** Authorization requests, newest last. */
  readonly asked: URLSearchParams[];
  readonly tokenRequests: URLSearchParams[];
  close(): Promise<void>;
}

/** `path`: where its issuer begins, such as that of an Entra tenant. */
export async function startSignInService(path = ''): Promise<SignInService> {
  const key = await makeKey('sign-in-1');
  const codes = new Map<string, Asked>();
  const clientId = 'toolgate';
  const clientSecret = randomBytes(12).toString('hex');
  const server = createServer((req, res) => void answer(req, res));

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', service.origin);
    if (url.pathname === `${path}/.well-known/openid-configuration`) return send(res, 200, metadata());
    if (url.pathname === '/keys') return send(res, 200, { keys: [key.jwk] });
    if (url.pathname === '/authorize') return authorize(url.searchParams, personIn(req), res);
    return token(new URLSearchParams(await bodyOf(req)), res);
  }

  function metadata() {
    const { origin } = service;
    return {
      issuer: service.issuer,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      jwks_uri: `${origin}/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_post'],
      authorization_response_iss_parameter_supported: true,
    };
  }

  function authorize(query: URLSearchParams, person: JWTPayload | null, res: ServerResponse): void {
    service.asked.push(query);
    const back = new URL(query.get('redirect_uri') ?? '');
    back.searchParams.set('state', query.get('state') ?? '');
    if (service.responseIssuer !== undefined) back.searchParams.set('iss', service.responseIssuer);
    if (person === null) {
      back.searchParams.set('error', 'access_denied');
      back.searchParams.set('error_description', '<b>no</b>');
    } else {
      const code = randomBytes(12).toString('hex');
      codes.set(code, { query, claims: person });
      back.searchParams.set('code', code);
    }
    res.writeHead(302, { location: back.href }).end();
  }

  async function token(form: URLSearchParams, res: ServerResponse): Promise<void> {
    service.tokenRequests.push(form);
    const asked = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isKnown =
      form.get('client_id') === clientId &&
      form.get('client_secret') === clientSecret &&
      form.get('redirect_uri') === asked?.query.get('redirect_uri') &&
      challenge === asked?.query.get('code_challenge');
    if (!asked || !isKnown) return send(res, 400, { error: 'invalid_grant' });
    const now = Math.floor(Date.now() / 1000);
    const claims = service.twist({
      ...{ iss: service.issuer, aud: clientId, iat: now, exp: now + 300 },
      nonce: asked.query.get('nonce') ?? '',
      ...asked.claims,
    });
    const { privateKey, alg, kid } = service.otherKey ?? key;
    const id_token = await new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(privateKey);
    return send(res, 200, { access_token: 'for nobody', token_type: 'bearer', expires_in: 300, id_token });
  }

  /** A browser may say itself who is at it. */
  function personIn({ headers }: IncomingMessage): JWTPayload | null {
    const email = headers['x-person'];
    return typeof email === 'string' ? { sub: `id of ${email}`, email } : service.person;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const service: SignInService = {
    ...{ origin, issuer: origin + path, clientId, clientSecret },
    person: null,
    twist: (claims) => claims,
    otherKey: undefined,
    responseIssuer: origin + path,
    asked: [],
    tokenRequests: [],
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return service;
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of req) text += String(part);
  return text;
}

function send(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}
