import { expect, test } from 'vitest';
import { AppError } from '../../platform/errors.ts';
import { type Way, way } from '../contract.ts';
import { noSuchVersion, registryUnavailable } from '../errors.ts';
import type { Found } from '../registries/found.ts';
import { chooseVersion } from './choose-version.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const npm = (version?: string): Way => process('npx', 'tools', version);
const image = (version?: string): Way => process('docker', 'acme/tools', version);

function process(runtime: string, name: string, version?: string): Way {
  return way.parse({ type: 'stdio', runtime, package: name, ...(version && { version }) });
}

const away = { find: async () => Promise.reject(registryUnavailable('registry.acme.com', 'tools', null)) };
const without = { find: async () => Promise.reject(noSuchVersion('tools', '9.9.9')) };
const answering = (found: Found) => ({ find: async () => found });

test('a verified version is taken without asking anybody', async () => {
  const chosen = await chooseVersion(away, npm('1.2.3'), undefined);
  expect(chosen).toEqual({ package: 'tools', version: '1.2.3', digest: null, pinned: 'verified' });
});

test('where none was verified, the newest one is pinned at install', async () => {
  const chosen = await chooseVersion(answering({ version: '2.0.0', digest: 'sha512-x' }), npm(), undefined);
  expect(chosen).toEqual({ package: 'tools', version: '2.0.0', digest: 'sha512-x', pinned: 'at-install' });
});

test('an image is pinned by its digest, whatever its tag', async () => {
  const registries = answering({ version: 'latest', digest });
  expect(await chooseVersion(registries, image(), undefined)).toMatchObject({ version: 'latest', digest });
  const tagged = answering({ version: '1.2.3', digest });
  expect(await chooseVersion(tagged, image('1.2.3'), undefined)).toMatchObject({
    digest,
    pinned: 'verified',
  });
});

test('a verified tag is taken as it is while its registry is away', async () => {
  const chosen = await chooseVersion(away, image('1.2.3'), undefined);
  expect(chosen).toMatchObject({ version: '1.2.3', digest: null, pinned: 'verified' });
});

test.each<[string, Way, string]>([
  ['an npm version', npm(), '1.2.3'],
  ['a tag that is a version', image(), 'v1.2.3'],
  ['a digest', image(), digest],
])('%s that is given is taken while the registry is away', async (_, one, version) => {
  expect(await chooseVersion(away, one, version)).toMatchObject({ version, pinned: 'given' });
});

test.each<[string, string, Parameters<typeof chooseVersion>]>([
  ['nobody knows the newest one', 'registry_unavailable', [away, npm(), undefined]],
  ['nobody knows what a moving tag is', 'registry_unavailable', [away, image(), 'latest']],
  ['a range is given', 'catalog_version_invalid', [away, npm(), '1.x']],
  ['a tag of npm is given', 'catalog_version_invalid', [away, npm(), 'latest']],
  ['an alias is given', 'catalog_version_invalid', [away, npm(), 'npm:evil@1.0.0']],
  ['the registry does not have it', 'version_not_found', [without, npm(), '9.9.9']],
  [
    'the registry names no exact one',
    'registry_answer_strange',
    [answering({ version: 'next', digest: null }), npm(), undefined],
  ],
  [
    'a URL needs none',
    'catalog_version_invalid',
    [away, way.parse({ type: 'sse', url: 'https://a.acme.com' }), '1.0.0'],
  ],
  [
    'a program of the machine needs none',
    'catalog_version_invalid',
    [away, process('binary', 'semgrep'), '1.0.0'],
  ],
])('refused: %s', async (_, code, question) => {
  const error = await chooseVersion(...question).catch((thrown: unknown) => thrown);
  expect(error instanceof AppError && error.code).toBe(code);
});

test('nothing is fetched for a URL, nor for a container that somebody runs', async () => {
  const nothing = { package: null, version: null, digest: null, pinned: null };
  const url = way.parse({ type: 'streamable-http', url: 'https://a.acme.com/mcp' });
  expect(await chooseVersion(away, url, undefined)).toEqual(nothing);
  const serving = way.parse({
    ...{ type: 'stdio', runtime: 'docker', package: 'acme/tools' },
    serves: { transport: 'streamable-http', port: 8000 },
  });
  expect(await chooseVersion(away, serving, undefined)).toEqual(nothing);
});
