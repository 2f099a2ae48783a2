import { generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import type { CryptographyClientOptions } from '@azure/keyvault-keys';
import { expect, onTestFinished, test } from 'vitest';
import { startKeyVault } from '../../../../test/fakes/key-vault.ts';
import { createLog } from '../../../platform/log.ts';
import { loadKeyRing } from '../master-key-ring.ts';
import { azureKeyVault } from './azure.ts';

async function setup() {
  const vault = await startKeyVault();
  onTestFinished(() => vault.close());
  const tokensAsked: unknown[] = [];
  let token = vault.token;
  const source = azureKeyVault({
    credential: {
      getToken: async (scopes) => {
        tokensAsked.push(scopes);
        return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    },
    client: { httpClient: to(vault.origin), retryOptions: { maxRetries: 3, maxRetryDelayInMs: 1 } },
  });
  const signInAs = (other: string) => {
    token = other;
  };
  return { vault, source, place: `azure:${vault.keyUrl}`, tokensAsked, signInAs };
}

/** The library speaks to the cloud's address, with all of its checks; its words go to the fake. */
function to(origin: string): NonNullable<CryptographyClientOptions['httpClient']> {
  return {
    async sendRequest(request) {
      const { pathname, search } = new URL(request.url);
      const answer = await fetch(`${origin}${pathname}${search}`, {
        method: request.method,
        headers: Object.fromEntries(request.headers),
        body: typeof request.body === 'string' ? request.body : null,
        signal: (request.abortSignal as AbortSignal | undefined) ?? null,
      });
      // Its own kind of headers, empty, to be filled with those of the answer.
      const headers = request.headers.constructor as new () => typeof request.headers;
      const filled = new headers();
      for (const [name, value] of answer.headers) filled.set(name, value);
      return { request, status: answer.status, headers: filled, bodyAsText: await answer.text() };
    },
  };
}

test('a key that was wrapped is unwrapped, with the rights to wrap and unwrap and no others', async () => {
  const { vault, source, place, tokensAsked } = await setup();
  const key = randomBytes(32);
  const entry = await source.wrap(place, key);
  expect(source.isEntry(entry)).toBe(true);
  expect(entry).toMatch(new RegExp(`^${place}#[\\w-]{342}$`));
  expect(await source.unwrap(entry)).toEqual(key);
  expect(vault.asked.filter((one) => one.startsWith('POST'))).toEqual([
    expect.stringMatching(/wrapkey$/),
    expect.stringMatching(/unwrapkey$/),
  ]);
  // The challenge says for what, and no body is sent before somebody is signed in.
  expect(tokensAsked[0]).toEqual(['https://vault.azure.net/.default']);
  expect(vault.bodies[0]).toBe('');
});

test('the right to read the public key does no harm', async () => {
  const { vault, source, place } = await setup();
  vault.permissions = ['get', 'wrapKey', 'unwrapKey'];
  const key = randomBytes(32);
  expect(await source.unwrap(await source.wrap(place, key))).toEqual(key);
});

test('a ring unwraps each entry once', async () => {
  const { vault, source, place } = await setup();
  const entry = await source.wrap(place, randomBytes(32));
  vault.asked.length = 0;
  const log = createLog('silent');
  const ring = await loadKeyRing({
    value: entry,
    file: undefined,
    dataDir: '',
    log,
    openSource: async () => source,
  });
  await ring.reload();
  expect(ring.held()).toEqual([{ key: expect.anything(), source: 'azure' }]);
  expect(vault.asked.filter((one) => one.endsWith('/unwrapkey'))).toHaveLength(1);
});

test('a vault with too much to do is asked again, when it says', async () => {
  const { vault, source, place } = await setup();
  const key = randomBytes(32);
  const entry = await source.wrap(place, key);
  vault.refusing.push({ status: 429, retryAfter: '0' }, { status: 503, retryAfter: '0' });
  expect(await source.unwrap(entry)).toEqual(key);
  expect(vault.refusing).toEqual([]);
});

test.each([
  [429, 'has too much to do'],
  [401, 'does not know this process'],
  [403, 'Key Vault Crypto User'],
  [404, 'no such key'],
  [400, 'wrapped by another key'],
  [418, 'HTTP 418'],
])(
  'HTTP %i is told in a sentence, with the key and without what the vault said',
  async (status, sentence) => {
    const { vault, source, place } = await setup();
    const entry = await source.wrap(place, randomBytes(32));
    vault.refusing.push(...Array.from({ length: 9 }, () => ({ status, retryAfter: '0' })));
    const error = await source.unwrap(entry).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'key_store_refused', message: expect.stringContaining(sentence) });
    expect(String(error)).toContain(vault.keyUrl);
    expect(String(error)).not.toContain('in many words');
    expect(inspect(error, { depth: 9 })).not.toContain(vault.token);
  },
);

test('a key that could not be wrapped is not in the error', async () => {
  const { vault, source, place } = await setup();
  vault.permissions = [];
  const key = randomBytes(32);
  const error = await source.wrap(place, key).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'key_store_refused' });
  const printed = inspect(error, { depth: 20, showHidden: true, getters: true });
  for (const form of ['base64', 'base64url', 'hex'] as const)
    expect(printed).not.toContain(key.toString(form));
});

test('what another key wrapped is refused, and what is no master key is not taken for one', async () => {
  const { vault, source, place } = await setup();
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const foreign = publicEncrypt({ key: publicKey, oaepHash: 'sha256' }, randomBytes(32)).toString(
    'base64url',
  );
  await expect(source.unwrap(`${place}#${foreign}`)).rejects.toThrow('wrapped by another key');
  const short = await source.wrap(place, randomBytes(16));
  await expect(source.unwrap(short)).rejects.toThrow(`${vault.keyUrl} unwrapped is not a master key`);
});

test('who cannot sign in is told so, and the vault is not reached', async () => {
  const { vault, place } = await setup();
  const source = azureKeyVault({
    credential: {
      getToken: async () => {
        throw Object.assign(new Error('canary'), { name: 'CredentialUnavailableError' });
      },
    },
    client: { httpClient: to(vault.origin), retryOptions: { maxRetries: 0 } },
  });
  await expect(source.wrap(place, randomBytes(32))).rejects.toThrow('cannot sign in to Azure');
  const away = azureKeyVault({
    client: { httpClient: to('http://127.0.0.1:1'), retryOptions: { maxRetries: 0 } },
  });
  await expect(away.wrap(place, randomBytes(32))).rejects.toThrow('cannot be reached');
  expect(vault.asked).toEqual([]);
});

test('a token goes to no other vault than the one that the challenge speaks of', async () => {
  const { vault, source } = await setup();
  const elsewhere = 'azure:https://vault.example/keys/toolgate/0123456789abcdef0123456789abcdef';
  await expect(source.wrap(elsewhere, randomBytes(32))).rejects.toMatchObject({ code: 'key_store_refused' });
  expect(vault.asked).toEqual([]);
});

test.each([
  'azure:http://acme.vault.azure.net/keys/a/b',
  'azure:https://acme.vault.azure.net/keys/a',
  'azure:https://acme.vault.azure.net/secrets/a/b',
  'azure:https://user:pass@acme.vault.azure.net/keys/a/b',
  'azure:https://acme.vault.azure.net/keys/a/b?x=y',
  'azure:https://acme.vault.azure.net/keys/a/b/../../c',
  'azure:',
  'https://acme.vault.azure.net/keys/a/b',
])('%s is no place and no entry', async (place) => {
  const { vault, source } = await setup();
  const wrapped = 'A'.repeat(342);
  expect(source.isEntry(`${place}#${wrapped}`)).toBe(false);
  await expect(source.wrap(place, randomBytes(32))).rejects.toMatchObject({ code: 'key_store_refused' });
  await expect(source.unwrap(`${place}#${wrapped}`)).rejects.toMatchObject({ code: 'key_store_refused' });
  expect(vault.bodies).toEqual([]);
});
