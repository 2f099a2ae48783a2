import { createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { AppError } from '../../platform/errors.ts';
import type { GuardedFetch } from '../../platform/guarded-fetch.ts';
import { createRegistries } from './registries.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** npm and PyPI at one address, with these answers by path. */
async function world(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const registries = createRegistries({ npm: `${url}/npm/`, pypi: `${url}/simple` });
  closing.push(
    () => registries.close(),
    () => new Promise((resolve) => server.close(resolve)),
  );
  return registries;
}

async function codeOf(answer: Promise<unknown>): Promise<string> {
  const error = await answer.catch((thrown: unknown) => thrown);
  return error instanceof AppError ? error.code : String(error);
}

const integrity = `sha512-${'A'.repeat(86)}==`;

test('npm says which version is the newest, and what it is made of', async () => {
  const asked: string[] = [];
  const { find } = await world((request, response) => {
    asked.push(request.url ?? '');
    response.end(
      JSON.stringify({
        'dist-tags': { latest: '2.0.0' },
        versions: { '1.0.0': { dist: {} }, '2.0.0': { dist: { integrity: `sha1-x ${integrity}` } } },
      }),
    );
  });
  expect(await find('npx', '@acme/tools')).toEqual({ version: '2.0.0', digest: integrity });
  expect(await find('npx', '@acme/tools', '1.0.0')).toEqual({ version: '1.0.0', digest: null });
  expect(await codeOf(find('npx', '@acme/tools', '3.0.0'))).toBe('version_not_found');
  expect(await codeOf(find('npx', '@acme/tools', 'constructor'))).toBe('version_not_found');
  expect(asked[0]).toBe('/npm/@acme%2ftools');
});

const files = [
  'acme_tools-0.9.0-py3-none-any.whl',
  'acme_tools-0.10.0-py3-none-any.whl',
  'acme_tools-0.11.0rc1-py3-none-any.whl',
  'acme-tools-0.2.tar.gz',
];
const hash = (name: string) => createHash('sha256').update(name).digest('hex');

test.each([
  [
    'JSON',
    JSON.stringify({
      files: [
        ...files.map((filename) => ({ filename, hashes: { sha256: hash(filename) } })),
        { filename: 'acme_tools-9.0.0-py3-none-any.whl', yanked: 'broken' },
      ],
    }),
  ],
  [
    'a page',
    `<html>${files.map((name) => `<a href="../x/${name}#sha256=${hash(name)}">${name}</a>`).join('<br>')}
     <a href="x" data-yanked="broken">acme_tools-9.0.0-py3-none-any.whl</a></html>`,
  ],
])('PyPI says which final version is the newest, as %s', async (_, body) => {
  const { find } = await world((request, response) => {
    response.statusCode = request.url === '/simple/acme-tools/' ? 200 : 404;
    response.end(body);
  });
  const digest = `sha256:${hash('acme_tools-0.10.0-py3-none-any.whl')}`;
  expect(await find('uvx', 'Acme_Tools')).toEqual({ version: '0.10.0', digest });
  expect((await find('uvx', 'acme.tools', '0.11.0rc1')).version).toBe('0.11.0rc1');
  expect(await codeOf(find('uvx', 'acme-tools', '9.0.0'))).toBe('version_not_found');
  expect(await codeOf(find('uvx', 'other'))).toBe('version_not_found');
});

test('where only versions before the first one are published, the newest of them is taken', async () => {
  const { find } = await world((_, response) => {
    const names = ['x-0.0.1a7-py3-none-any.whl', 'x-0.0.1a10-py3-none-any.whl', 'x-0.0.1a8-py3-none-any.whl'];
    response.end(JSON.stringify({ files: names.map((filename) => ({ filename })) }));
  });
  expect((await find('uvx', 'x')).version).toBe('0.0.1a10');
});

test.each([
  ['nonsense', 'no JSON', 200],
  ['an error', '{}', 500],
  ['another shape', '{"versions": []}', 200],
])('%s is no answer', async (_, body, status) => {
  const { find } = await world((__, response) => {
    response.statusCode = status;
    response.end(body);
  });
  expect(await codeOf(find('npx', 'x'))).toBe('registry_answer_strange');
  expect(await codeOf(find('uvx', 'x'))).toBe('registry_answer_strange');
});

test('a redirect to another place is not followed', async () => {
  const { find } = await world((_, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end();
  });
  expect(await codeOf(find('npx', 'x'))).toBe('registry_answer_strange');
});

test('a registry that is not there is told, with what to do', async () => {
  const registries = createRegistries({ npm: 'http://127.0.0.1:1', pypi: 'http://127.0.0.1:1' });
  closing.push(() => registries.close());
  const error = await registries.find('npx', 'x').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'registry_unavailable', status: 503 });
  expect(String(error)).toContain('"version"');
});

const manifest = '{"schemaVersion":2}';
const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;

/** A registry of images; `realm` is where it sends for a token. */
function images(realm: string, asked: string[]) {
  const fetch: GuardedFetch = {
    async fetch(url, init) {
      asked.push(url);
      if (url.startsWith(realm)) return Response.json({ token: 'anonymous' });
      if (init?.headers?.['authorization'] === 'Bearer anonymous') return new Response(manifest);
      const challenge = `Bearer realm="${realm}",service="registry",scope="anything"`;
      return new Response('', { status: 401, headers: { 'www-authenticate': challenge } });
    },
    close: async () => undefined,
  };
  return createRegistries({ npm: 'https://npm.acme.com', pypi: 'https://pypi.acme.com' }, fetch);
}

test.each([
  ['mcp/redis', 'https://auth.docker.io/token', 'https://registry-1.docker.io/v2/mcp/redis/manifests/latest'],
  ['redis', 'https://auth.docker.io/token', 'https://registry-1.docker.io/v2/library/redis/manifests/latest'],
  ['ghcr.io/acme/tools', 'https://ghcr.io/token', 'https://ghcr.io/v2/acme/tools/manifests/latest'],
])('the tag of %s becomes a digest, with a token for that image alone', async (image, realm, url) => {
  const asked: string[] = [];
  const { find } = images(realm, asked);
  expect(await find('docker', image)).toEqual({ version: 'latest', digest });
  expect(asked[0]).toBe(url);
  const repository = url.split('/v2/')[1]?.split('/manifests')[0] ?? '';
  expect(new URL(asked[1] ?? '').searchParams.get('scope')).toBe(`repository:${repository}:pull`);
});

test.each(['http://ghcr.io/token', 'https://evil.com/token', 'https://169.254.169.254/', 'ghcr.io'])(
  'a registry that sends for its token to %s is not followed',
  async (realm) => {
    const asked: string[] = [];
    expect(await codeOf(images(realm, asked).find('docker', 'ghcr.io/acme/tools'))).toBe(
      'registry_answer_strange',
    );
    expect(asked).toHaveLength(1);
  },
);
