// Azure Key Vault as its REST contract has it, for one RSA key: the challenge for callers without a token, `get`, `wrapkey`
// and `unwrapkey` with RSA-OAEP-256. https://learn.microsoft.com/rest/api/keyvault/keys
import { constants, generateKeyPairSync, type KeyObject, privateDecrypt, publicEncrypt } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listenOnLoopback } from './loopback.ts';

export interface FakeKeyVault {
  /** The identifier of its key, as if it were in the cloud. */
  readonly keyUrl: string;
  /** Where it really listens, over plain HTTP. */
  readonly origin: string;
  /** Method and path of each request that had a token. */
  readonly asked: string[];
  /** Every request body, whoever sent it. */
  readonly bodies: string[];
  /** How it answers the next requests that have a token: a status each, before it works again. */
  readonly refusing: { status: number; retryAfter?: string }[];
  /** What may be done; `get` is often not granted. */
  permissions: readonly ('get' | 'wrapKey' | 'unwrapKey')[];
  /** The token that counts. */
  readonly token: string;
  close(): Promise<void>;
}

const host = 'acme.vault.azure.net';
const version = '0123456789abcdef0123456789abcdef';
const keyPath = `/keys/toolgate/${version}`;
const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };

export async function startKeyVault(): Promise<FakeKeyVault> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const state = {
    asked: [] as string[],
    bodies: [] as string[],
    refusing: [] as FakeKeyVault['refusing'],
    permissions: ['wrapKey', 'unwrapKey'] as FakeKeyVault['permissions'],
    token: 'token-of-the-process',
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = (await buffer(request)).toString();
    state.bodies.push(body);
    if (request.headers.authorization !== `Bearer ${state.token}`) return challenge(response);
    const { pathname, searchParams } = new URL(request.url ?? '/', `https://${host}`);
    state.asked.push(`${request.method} ${pathname}`);
    const refusal = state.refusing.shift();
    if (refusal) {
      if (refusal.retryAfter !== undefined) response.setHeader('Retry-After', refusal.retryAfter);
      return fail(response, refusal.status, 'Throttled');
    }
    if (!searchParams.has('api-version')) return fail(response, 400, 'BadParameter');
    if (!pathname.startsWith(keyPath)) return fail(response, 404, 'KeyNotFound');
    answer(response, pathname.slice(keyPath.length), {
      body,
      publicKey,
      privateKey,
      permissions: state.permissions,
    });
  };
  const listening = await listenOnLoopback((request, response) => void serve(request, response));
  return Object.assign(state, {
    keyUrl: `https://${host}${keyPath}`,
    origin: listening.origin,
    close: () => listening.close(),
  });
}

interface Question {
  readonly body: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly permissions: FakeKeyVault['permissions'];
}

function answer(
  response: ServerResponse,
  operation: string,
  { body, publicKey, privateKey, permissions }: Question,
) {
  const kid = `https://${host}${keyPath}`;
  const verb = { '': 'get', '/wrapkey': 'wrapKey', '/unwrapkey': 'unwrapKey' }[operation];
  if (verb === undefined) return fail(response, 404, 'NotFound');
  if (!permissions.some((one) => one === verb)) return fail(response, 403, 'Forbidden');
  if (verb === 'get') {
    const { n, e } = publicKey.export({ format: 'jwk' });
    return send(response, 200, {
      key: { kid, kty: 'RSA', key_ops: permissions, n, e },
      attributes: { enabled: true },
    });
  }
  const { alg, value } = JSON.parse(body) as { alg: string; value: string };
  if (alg !== 'RSA-OAEP-256') return fail(response, 400, 'BadParameter');
  const given = Buffer.from(value, 'base64url');
  try {
    const result =
      verb === 'wrapKey'
        ? publicEncrypt({ key: publicKey, ...oaep }, given)
        : privateDecrypt({ key: privateKey, ...oaep }, given);
    send(response, 200, { kid, value: result.toString('base64url') });
  } catch {
    fail(response, 400, 'BadParameter'); // Wrapped by another key.
  }
}

/** As the real one: which tenant to sign in at, and for which resource. */
function challenge(response: ServerResponse): void {
  const tenant = 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555';
  response.setHeader(
    'WWW-Authenticate',
    `Bearer authorization="${tenant}", resource="https://vault.azure.net"`,
  );
  fail(response, 401, 'Unauthorized');
}

function fail(response: ServerResponse, status: number, code: string): void {
  send(response, status, {
    error: { code, message: `${code}, in many words that differ from version to version` },
  });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}
