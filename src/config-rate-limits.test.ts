import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from './config.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'toolgate-limits-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What is read of these limits, or the message of the error. */
async function load(rateLimits: object, env: Record<string, string> = {}) {
  const file = {
    mcpServers: { github: { type: 'http', url: 'https://mcp.example.com/mcp' } },
    groups: { Builders: { servers: ['github'] } },
    tenants: { acme: {} },
    rateLimits,
  };
  await writeFile(path.join(directory, 'mcp-servers.json'), JSON.stringify(file, null, 2));
  return loadConfig(env, directory).then(
    (config) => ({ limits: config.file.rateLimits, proxies: config.TRUSTED_PROXIES }),
    (error: Error) => error.message,
  );
}

test('limits of people, groups, tenants, servers and tools are read; people need not be in the file', async () => {
  const limits = {
    users: { 'New@acme.com': { perMinute: 5 }, 'service:nightly': { concurrent: 200 } },
    groups: { Builders: { perUserPerMinute: 300, perMinute: 3_000 } },
    tenants: { acme: { perMinute: 5_000, concurrent: 100 } },
    servers: { github: { perMinute: 1_000, perUserPerMinute: 60, concurrent: 30 } },
    tools: { github__search_code: { perUserPerMinute: 10 } },
  };
  const users = { 'new@acme.com': { perMinute: 5 }, 'service:nightly': { concurrent: 200 } };
  expect(await load(limits)).toMatchObject({ limits: { ...limits, users, concurrentPerUser: 100 } });
});

test.each<[string, object, string]>([
  ['a server that is not there', { servers: { githup: { perMinute: 1 } } }, 'did you mean "github"?'],
  [
    'a tool of none',
    { tools: { gitlab__x: { perMinute: 1 } } },
    'names the server "gitlab", which is not in',
  ],
  ['a tool without a server', { tools: { search: { perMinute: 1 } } }, 'must be a server, "__"'],
  ['a group that is not there', { groups: { Bilders: { perMinute: 1 } } }, 'did you mean "Builders"?'],
  ['a tenant that is not there', { tenants: { acne: { perMinute: 1 } } }, 'did you mean "acme"?'],
  ['somebody who is nobody', { users: { alice: { perMinute: 1 } } }, 'rateLimits.users'],
  ['a limit of nothing', { users: { 'a@acme.com': { perMinute: 0 } } }, 'rateLimits.users'],
  ['half a call', { servers: { github: { concurrent: 1.5 } } }, 'rateLimits.servers.github.concurrent'],
  ['a word that nobody knows', { servers: { github: { perHour: 1 } } }, 'rateLimits.servers.github'],
  ['a name that every object has', { servers: { constructor: { perMinute: 1 } } }, 'which is not in'],
])('%s is a mistake with its place', async (_, limits, expected) => {
  const message = await load(limits);
  expect(message).toMatch(/^The configuration has a mistake:\n.*mcp-servers\.json:\d+:\d+: rateLimits/);
  expect(message).toContain(expected);
});

test('trusted proxies are addresses and ranges, and anything else is a mistake', async () => {
  const given = { TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::/32 192.0.2.7' };
  expect(await load({}, given)).toMatchObject({ proxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'] });
  expect(await load({})).toMatchObject({ proxies: [] });
  expect(await load({}, { TRUSTED_PROXIES: 'caddy' })).toContain(
    'TRUSTED_PROXIES: must be addresses or ranges',
  );
});
