import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { adminListener } from '../test/admin-listener.ts';
import { api as access, type Principal, serverId, serverView } from '../src/access/contract.ts';
import { createAdminApp } from '../src/admin/index.ts';
import { api } from '../src/catalog/contract.ts';
import { detailsView, itemView } from '../src/catalog/entries/entry-view.ts';
import { createKnownEntries } from '../src/catalog/entries/known-entries.ts';
import { route } from '../src/platform/contract.ts';
import { AppError } from '../src/platform/errors.ts';
import { createLog } from '../src/platform/log.ts';
import { run } from './main.ts';
import type { Input } from './terminal.ts';

const principal: Principal = {
  ...{ kind: 'service', id: 'admin-token', assertedGroups: [], assertedBy: null, tokenTenant: null },
  ...{ authSource: 'admin-token', credentialId: 'admin-token' },
};
const entries = createKnownEntries(() => []);
const state = {
  works: true,
  fails: 'tools' as 'tools' | 'address',
  installed: [] as ReturnType<typeof serverOf>[],
};
const seen: { tried: unknown[]; installed: unknown[] } = { tried: [], installed: [] };

function serverOf(id: string, origin: object) {
  return serverView.parse({
    ...{
      id: serverId.parse(id),
      type: 'http',
      displayName: id,
      description: '',
      enabled: true,
      command: null,
    },
    ...{ args: [], url: 'https://a.acme.com', headerNames: [], envNames: [], tools: null, toolOverrides: {} },
    ...{ account: null, isolation: null, timeoutMs: 1, maxResponseBytes: 1, recordArguments: false },
    ...{ pin: 'warn', maxResultChars: 1, extensions: 'all', variables: {}, maxConnections: 1 },
    managedBy: 'admin',
    origin: {
      ...{ entry: id, transport: 'http', auth: 'bearer', fields: ['token'], package: null, version: null },
      ...{ digest: null, pinned: null, installedAt: '2026-01-01T00:00:00Z', ...origin },
    },
    updatedAt: '2026-01-01T00:00:00Z',
  });
}

const groups = ['Readers', 'Writers'];
const groupOf = (name: string) => ({
  ...{ name, displayName: name, admin: false, tenant: null, externalIds: [], servers: [] },
  ...{ toolOverrides: {}, memberCount: 0, managedBy: 'admin' as const },
});

const app = createAdminApp({
  ...{ log: createLog('silent'), version: '0', publicUrl: 'http://localhost' },
  authenticate: async () => ({ principal, isAdmin: true }),
  routes: [
    route(api.listCatalog, async ({ query }) => ({
      items: entries.search(query.search ?? 'github').map((entry) => itemView(entry, [])),
      nextCursor: 'more',
    })),
    route(api.getCatalogEntry, async ({ params: { id } }) => {
      const entry = entries.find(id);
      if (!entry) throw new AppError('catalog_entry_not_found', 404, `The catalog has no entry ${id}.`);
      return detailsView(entry, state.installed);
    }),
    route(api.tryCatalogEntry, async ({ body }) => {
      seen.tried.push(body);
      const message = state.works ? 'It has 3 tools.' : 'It refuses the key, or wants one.';
      const steps = [{ step: state.works ? ('tools' as const) : state.fails, ok: state.works, message }];
      return {
        ...{ ok: state.works, message, steps, era: null, protocolVersion: null, name: null },
        ...{ tools: 3, milliseconds: 1 },
      };
    }),
    route(api.installCatalogEntry, async ({ params, body }) => {
      seen.installed.push(body);
      const names = { credentials: ['default'], variables: [], groups: body.groups };
      return {
        server: serverOf(body.as ?? params.id, {}),
        created: true,
        ...names,
        next: ['Do\u001b[2J this.'],
      };
    }),
    route(access.getGroup, async ({ params: { name } }) => {
      if (!groups.includes(name)) throw new AppError('group_not_found', 404, `There is no group ${name}.`);
      return groupOf(name);
    }),
    route(access.getTenant, async ({ params: { id } }) => ({
      ...{ id, displayName: id, emailDomains: [], enabled: true, endpoints: [], variables: {}, groups: [] },
      managedBy: 'admin' as const,
    })),
    route(access.listGroups, async () => ({
      items: groups.map(groupOf),
      nextCursor: null,
    })),
  ],
});

const { url } = adminListener(app);
beforeEach(() => {
  state.works = true;
  state.fails = 'tools';
  state.installed = [];
  seen.tried.length = 0;
  seen.installed.length = 0;
});

/** What a person types, in order, or what is piped in; without either nobody is there. */
async function toolgate(
  line: string,
  given?: readonly string[] | { readonly piped: string },
  env: Record<string, string> = {},
) {
  let out = '';
  let errors = '';
  const piped = given && 'piped' in given ? given.piped : undefined;
  const left = given && !('piped' in given) ? [...given] : [];
  const hidden: string[] = [];
  const answer = async (question: string) => {
    errors += question;
    return left.shift() ?? '';
  };
  const input: Input = {
    ...{ isPerson: piped === undefined, read: async () => piped ?? '', ask: answer },
    askHidden: async (question) => {
      hidden.push(question);
      return answer(question);
    },
  };
  const code = await run(line.split(' '), {
    env: { PUBLIC_URL: url(), TOOLGATE_ADMIN_TOKEN: 'right', ...env },
    write: (text) => void (out += text),
    writeError: (text) => void (errors += text),
    complain: (message) => void (errors += `toolgate: ${message}\n`),
    ...(given && { input }),
  });
  return { code, out, errors, hidden, left };
}

test('the catalog is searched, and an entry shown with what it asks for', async () => {
  const found = await toolgate('catalog search source code --limit 5');
  expect(found.out).toMatch(/^ID\s+NAME/);
  expect(found.errors).toContain('There are more');
  const shown = await toolgate('catalog show github');
  expect(shown.out).toContain('--transport http --auth bearer');
  expect(shown.out).toContain('token (secret): Bearer personal access token');
  expect(shown.out).toContain('toolgate add github');
  expect(JSON.parse((await toolgate('catalog show github --json')).out)).toMatchObject({ id: 'github' });
  expect(await toolgate('catalog show nothing')).toMatchObject({ code: 1 });
});

test('a person chooses the way, types the key unseen, and names the groups', async () => {
  const added = await toolgate('add github', ['2', 'ghp_secret', 'Readers, Writers']);
  expect(added.errors).toContain('1  http, oauth');
  expect(added.hidden).toEqual([expect.stringContaining('token (secret)')]);
  expect(added).toMatchObject({ code: 0, left: [] });
  const values = { token: 'ghp_secret' };
  expect(seen.tried).toEqual([{ transport: 'http', auth: 'bearer', values }]);
  expect(seen.installed).toEqual([
    expect.objectContaining({ transport: 'http', auth: 'bearer', values, groups: ['Readers', 'Writers'] }),
  ]);
  expect(added.out).toContain('The server github is installed.');
  expect(added.out).toContain('Do [2J this.');
  expect(added.out + added.errors).not.toContain('ghp_secret');
});

test('a program gives everything, secrets by the environment', async () => {
  const line =
    'add github --transport http --auth bearer --set-env token=GH --tenant acme --as gh --groups Readers --json';
  const added = await toolgate(line, undefined, { GH: 'ghp_secret' });
  expect(added).toMatchObject({ code: 0, errors: '' });
  expect(JSON.parse(added.out)).toMatchObject({ tried: { ok: true }, installed: { created: true } });
  expect(added.out).not.toContain('ghp_secret');
  expect(seen.installed).toEqual([
    expect.objectContaining({ as: 'gh', for: { tenant: 'acme' }, values: { token: 'ghp_secret' } }),
  ]);
});

test('a secret comes out of a file or standard input, never out of the command line', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'toolgate-add-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'key');
  writeFileSync(file, '\uFEFFghp_from-a-file\r\n');
  const line = 'add github --transport http --auth bearer --groups Readers';
  expect(await toolgate(`${line} --set-file token=${file}`)).toMatchObject({ code: 0 });
  expect(await toolgate(`${line} --set-file token=-`, { piped: 'ghp_piped\n' })).toMatchObject({ code: 0 });
  expect(await toolgate(`${line} --set-file token=-`, ['ghp_typed'])).toMatchObject({
    code: 0,
    hidden: ['token: '],
  });
  expect(seen.installed.map((body) => (body as { values: object }).values)).toEqual([
    { token: 'ghp_from-a-file' },
    { token: 'ghp_piped' },
    { token: 'ghp_typed' },
  ]);
  const refused = await toolgate(`${line} --set token=ghp_canary`);
  expect(refused.code).toBe(1);
  expect(refused.errors).toContain('token is a secret');
  expect(refused.errors).toContain('--set-env token=VARIABLE or --set-file token=FILE');
  expect(refused.errors).not.toContain('canary');
  expect([seen.tried.length, seen.installed.length]).toEqual([3, 3]);
});

test('what is missing is named when nobody can be asked, and nothing is tried', async () => {
  const added = await toolgate('add slack-bot --set SLACK_TEAM_ID=T1');
  expect(added.code).toBe(1);
  expect(added.errors).toContain('SLACK_BOT_TOKEN (secret)');
  expect(added.errors).not.toMatch(/missing: .*SLACK_TEAM_ID/);
  expect(seen.tried).toEqual([]);
});

test('where one of several keys is enough, the asking ends with the first', async () => {
  const { code, hidden } = await toolgate('add atlassian-self-hosted', ['', 'second-key', '']);
  expect(code).toBe(0);
  expect(hidden).toHaveLength(2);
  expect(seen.installed).toEqual([
    expect.objectContaining({ values: { JIRA_PERSONAL_TOKEN: 'second-key' } }),
  ]);
});

test('what failed to connect is not installed, unless a person or --force says so', async () => {
  state.works = false;
  const line = 'add github --transport http --auth bearer --set-env token=GH --groups Readers';
  const env = { GH: 'ghp_secret' };
  expect(await toolgate(line, undefined, env)).toMatchObject({
    code: 1,
    errors: expect.stringContaining('--force'),
  });
  expect(await toolgate(line, ['n'], env)).toMatchObject({ code: 1 });
  expect(seen.installed).toEqual([]);
  expect(await toolgate(line, ['y'], env)).toMatchObject({
    code: 1,
    out: expect.stringContaining('is installed'),
  });
  expect(await toolgate(`${line} --force`, undefined, env)).toMatchObject({ code: 1 });
  expect(seen.installed).toHaveLength(2);
  expect(await toolgate(`${line} --no-try`, undefined, env)).toMatchObject({ code: 0 });
});

test('an address that may not be reached is not installed, and nobody is told that it could be', async () => {
  Object.assign(state, { works: false, fails: 'address' });
  const refused = await toolgate('add everything --groups Readers --force', ['y']);
  expect(refused).toMatchObject({ code: 1, left: ['y'] });
  expect(refused.errors).toContain('this address may not be reached');
  expect(refused.errors).not.toContain('--force');
  expect(seen.installed).toEqual([]);
});

test('a group that is not there is told before anything is tried', async () => {
  expect(await toolgate('add everything --groups Readers,Nobody')).toMatchObject({
    code: 1,
    errors: 'toolgate: There is no group Nobody.\n',
  });
  expect(seen.tried).toEqual([]);
});

test('the help shows no empty lists, and a first start is announced', async () => {
  expect((await toolgate('add --help')).out).not.toContain('[]');
  expect((await toolgate('add everything --groups Readers')).errors).toContain('may have to fetch a package');
});

test('a dry run tries it and installs nothing', async () => {
  const dry = await toolgate('add everything --dry-run');
  expect(dry.code).toBe(0);
  expect(seen.tried).toHaveLength(1);
  expect(seen.installed).toEqual([]);
});

test('a server that is there asks only for what it was installed with', async () => {
  state.installed = [serverOf('supabase', { fields: ['token', 'project_ref'] })];
  const line = 'add supabase --transport http --auth bearer --tenant acme --groups Readers';
  const { hidden, errors } = await toolgate(line, ['abc', 'key']);
  expect(hidden).toHaveLength(1);
  expect(errors).toContain('project_ref');
  expect(seen.installed).toEqual([expect.objectContaining({ values: { token: 'key', project_ref: 'abc' } })]);
});

test.each([
  ['add', 2],
  ['add github --set', 2],
  ['add github --transport nowhere', 1],
  ['add github --transport http --auth bearer --set token', 1],
  ['add github --transport http --auth bearer --set-env token=NOT_THERE', 1],
  ['add github --transport http --auth bearer --set-file token=/nowhere/key', 1],
  ['add github --transport http --auth bearer --set-file token=-', 1],
  ['add github --transport http --auth bearer --set-env token=PATH --set-file token=/etc/hostname', 1],
  ['add nothing-of-this-name', 1],
  ['catalog search --auth nonsense', 2],
])('"toolgate %s" fails with exit code %i', async (line, code) => {
  expect((await toolgate(line)).code).toBe(code);
  expect(seen.installed).toEqual([]);
});
