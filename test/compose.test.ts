// deploy/: containers cannot be started in a test, so what the compose files say is held against the configuration, the image
// and each other.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readConfigFile } from '../src/config.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const settings = [...read('docs/configuration.md').matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm)].map(
  ([, name]) => name,
);

interface Service {
  readonly file: string;
  readonly name: string;
  readonly text: string;
}

/** What stands under a key, without the lines of its neighbours. */
function under(text: string, key: string, indent: string): string {
  const lines = text.split('\n');
  const from = lines.findIndex((line) => line.startsWith(`${indent}${key}:`));
  if (from < 0) return '';
  const rest = lines.slice(from + 1);
  const to = rest.findIndex((line) => line.trim() !== '' && !line.startsWith(`${indent}  `));
  return (to < 0 ? rest : rest.slice(0, to)).join('\n');
}

function keysUnder(text: string, key: string, indent: string): string[] {
  const keys = new RegExp(`^${indent}  ([\\w.-]+):`, 'gm');
  return [...under(text, key, indent).matchAll(keys)].map(([, name = '']) => name);
}

const files = globSync('deploy/docker-compose*.yml', { cwd: root }).sort();
const services: Service[] = files.flatMap((file) => {
  const text = read(file);
  return keysUnder(text, 'services', '').map((name) => ({ file, name, text: under(text, name, '  ') }));
});
const toolgates = services.filter(({ name }) => name === 'toolgate');

test('there is one for a start, one for trying out, and one for everything', () => {
  expect(files).toHaveLength(3);
  const names = (kind: string) =>
    services.filter(({ file }) => file === `deploy/docker-compose${kind}.yml`).map(({ name }) => name);
  expect(names('')).toEqual(['toolgate', 'postgres']);
  expect(names('.local-test')).toEqual(['toolgate', 'open-webui', 'keycloak', 'postgres', 'redis']);
  expect(names('.unified')).toEqual(['caddy', 'toolgate', 'open-webui', 'postgres', 'redis']);
});

test.each(services)('$file: $name has an exact version and a health check', ({ text }) => {
  expect(/^ {4}image: (\S+)$/m.exec(text)?.[1]).toMatch(/:v?\d+\.\d+(\.\d+)?$/);
  expect(under(text, 'healthcheck', '    ')).toMatch(/test: \['CMD(?:-SHELL)?', /);
});

test.each(toolgates)('$file: Toolgate is its image, and is set up with what it knows', ({ text }) => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(text).toContain(
    `image: toolgate:${version}\n    build: { context: .., dockerfile: deploy/Dockerfile }`,
  );
  expect(text).toContain('read_only: true');
  const names = keysUnder(text, 'environment', '    ');
  expect(names).toContain('DATABASE_URL');
  for (const name of names) expect(settings, name).toContain(name);
  expect(text).toContain('toolgate-data:/data');
  expect(read('deploy/Dockerfile')).toContain('TOOLGATE_DATA_DIR=/data');
  const config = /:(\/[^:\s]+mcp-servers\.json):ro$/m.exec(text)?.[1];
  expect(read('deploy/Dockerfile')).toContain(`TOOLGATE_CONFIG=${config}`);
  const seconds = Number(/stop_grace_period: (\d+)s/.exec(text)?.[1]);
  expect(seconds).toBeGreaterThan(
    Number(/`SHUTDOWN_SECONDS` \| `(\d+)`/.exec(read('docs/configuration.md'))?.[1]),
  );
});

test.each(files)('%s says which variables it wants, and wants no others', (file) => {
  const text = read(file);
  const wanted = [...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name = '']) => name);
  const comment = /^(?:#.*\n)+/.exec(text)?.[0] ?? '';
  for (const name of new Set(wanted)) expect(comment, name).toContain(name);
});

test.each(files)('what %s keeps is in volumes, and what it mounts is there', (file) => {
  const text = read(file);
  const mounts = services
    .filter((one) => one.file === file)
    .flatMap((one) => [...under(one.text, 'volumes', '    ').matchAll(/^ {6}- (\S.*?):\/\S+$/gm)])
    .map(([, source = '']) => source.replace(/^\$\{\w+:-(.*)\}$/, '$1'));
  const isPath = (source: string) => /^[.$]/.test(source);
  expect(mounts.filter((source) => !isPath(source)).sort()).toEqual(keysUnder(text, 'volumes', '').sort());
  for (const source of mounts.filter((one) => one.startsWith('.')))
    expect(existsSync(path.join(root, 'deploy', source)), source).toBe(true);
});

test('nothing is reached from outside but what should be', () => {
  const ports = services.flatMap(({ file, name, text }) =>
    /^ {4}ports: \[(.*)\]$/m.exec(text) ? [`${file} ${name} ${/ports: \[(.*)\]$/m.exec(text)?.[1]}`] : [],
  );
  expect(ports).toEqual([
    "deploy/docker-compose.local-test.yml toolgate '127.0.0.1:8085:8085', '127.0.0.1:8088:8088'",
    "deploy/docker-compose.unified.yml caddy '80:80', '443:443'",
    "deploy/docker-compose.yml toolgate '${TOOLGATE_BIND:-127.0.0.1}:8085:8085'",
  ]);
});

test('the test sign-in knows the people, groups and clients that Toolgate and Open WebUI ask for', async () => {
  const realm = JSON.parse(read('deploy/local-test/realm.json'));
  const file = await readConfigFile(path.join(root, 'deploy/local-test/mcp-servers.json'), {});
  const [issuer] = file.identity.issuers;
  const compose = read('deploy/docker-compose.local-test.yml');
  const said = (name: string) => new RegExp(`^ {6}${name}: (.*)$`, 'm').exec(compose)?.[1];
  expect(issuer?.issuer).toBe(`${said('KC_HOSTNAME')}/realms/${realm.realm}`);
  expect(said('OPENID_PROVIDER_URL')).toBe(`${issuer?.issuer}/.well-known/openid-configuration`);
  const clients = realm.clients.map(({ clientId, secret, redirectUris }: Record<string, unknown>) => [
    ...[clientId, secret, redirectUris],
  ]);
  expect(clients).toEqual([
    [
      issuer?.signIn?.clientId,
      issuer?.signIn?.clientSecret,
      [`${said('PUBLIC_URL')}/gateway/sign-in/callback`],
    ],
    [said('OAUTH_CLIENT_ID'), said('OAUTH_CLIENT_SECRET'), [said('OPENID_REDIRECT_URI')]],
  ]);
  const groups = realm.groups.map(({ name }: { name: string }) => name);
  expect(groups.sort()).toEqual(Object.keys(file.groups).sort());
  for (const { groups: own } of realm.users)
    for (const group of own) expect(groups).toContain(group.replace('/', ''));
});
