import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { adminListener } from '../test/admin-listener.ts';
import { asOwner } from '../test/database.ts';
import { keysWorld } from '../test/keys-world.ts';
import { sql } from 'kysely';
import { api as gateway } from '../src/gateway/contract.ts';
import { route } from '../src/platform/contract.ts';
import { run } from './main.ts';
import type { Input } from './terminal.ts';

const world = await keysWorld({
  envPlaces: [
    {
      ...{ env: 'GITHUB_TOKEN', server: 'github', name: 'default' },
      ...{ before: '', after: '', note: null, exists: true },
    },
  ],
  moreRoutes: [
    route(gateway.explainCredential, async ({ params: { id }, query: { user = null, tenant = null } }) => ({
      ...{ server: id, user, tenant, elsewhere: false, problem: null },
      names: [
        {
          ...{ name: 'default', used: null, reason: 'None: \u001b[2Jnothing is set.' },
          ladder: [
            {
              ...{ level: 'tenant' as const, owner: 'globex', tenant: 'globex', id: 'id', lastFour: '' },
              ...{ verdict: 'other_tenant' as const, why: 'The key of the tenant globex is not used.' },
            },
          ],
        },
      ],
    })),
  ],
});
const directory = mkdtempSync(path.join(tmpdir(), 'toolgate-credentials-'));
const { url } = adminListener(world.app);
afterAll(() => rmSync(directory, { recursive: true }));

beforeEach(() =>
  asOwner(world.db, (owner) =>
    sql`truncate mcp_proxy.credentials, mcp_proxy.group_credentials, mcp_proxy.user_credentials`.execute(
      owner,
    ),
  ),
);

/** Somebody at a terminal gives these answers; text alone is piped in. */
async function toolgate(line: string, given?: string | readonly string[]) {
  let out = '';
  let errors = '';
  const asked: string[] = [];
  const answers = [...(Array.isArray(given) ? given : [])];
  const answer = async (question: string) => {
    asked.push(question);
    return answers.shift() ?? '';
  };
  const input: Input = {
    isPerson: typeof given !== 'string',
    read: async () => (typeof given === 'string' ? given : ''),
    ask: answer,
    askHidden: answer,
  };
  const writeError = (text: string) => void (errors += text);
  const code = await run(line.split(' '), {
    env: { PUBLIC_URL: url(), TOOLGATE_ADMIN_TOKEN: 'admin' },
    write: (text) => void (out += text),
    writeError,
    complain: (message) => writeError(`toolgate: ${message}\n`),
    ...(given !== undefined && { input }),
  });
  return { code, out, errors, asked };
}

function fileWith(name: string, text: string | Buffer): string {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

test.each([
  ['', 'everybody', 'shared - - github default'],
  [' --tenant acme', 'the tenant acme', 'tenant acme acme github default'],
  [' --group /dept/Acme', 'the group /dept/Acme', 'group /dept/Acme acme github default'],
  [' --user alice@acme.com', 'alice@acme.com', 'user alice@acme.com - github default'],
  [
    ' --user alice@acme.com --tenant acme',
    'alice@acme.com in the tenant acme',
    'user alice@acme.com acme github default',
  ],
])('a key is set%s, listed without its value, and removed', async (owner, words, place) => {
  const set = await toolgate(`credentials set github${owner}`, 'ghp_piped-in-1234\n');
  expect(set).toEqual({
    code: 0,
    out: `The key "default" of github is set for ${words}.\n`,
    errors: '',
    asked: [],
  });
  expect(await world.stored()).toEqual({ [place]: 'ghp_piped-in-1234' });
  const { out } = await toolgate(`credentials list${owner}`);
  expect(out).toMatch(/^SERVER +NAME +FOR TENANT +ENDS IN .*\ngithub +default +(any|acme) +1234 .* never\n$/);
  expect(out).not.toContain('ghp_');
  expect(await toolgate(`credentials remove github${owner}`)).toMatchObject({ code: 0 });
  expect(await world.stored()).toEqual({});
  expect((await toolgate(`credentials list${owner}`)).out).toBe('There are none.\n');
});

test('somebody at a terminal is asked for the key, which no argument takes', async () => {
  const asked = await toolgate('credentials set crm --name user', ['typed-in-by-hand']);
  expect(asked).toMatchObject({ code: 0, asked: ['key "user" of crm: '] });
  expect(await world.stored()).toEqual({ 'shared - - crm user': 'typed-in-by-hand' });
  expect((await toolgate('credentials set github ghp_as-an-argument', ['x'])).code).toBe(2);
  expect(await toolgate('credentials set github', [''])).toMatchObject({ code: 1 });
  expect(await toolgate('credentials set github')).toMatchObject({ code: 1 });
});

test.each(['bin/toolgate.mjs', 'cli/main.ts'])('what is piped into %s arrives', async (program) => {
  const child = spawn(process.execPath, [program, 'credentials', 'set', 'github'], {
    env: { ...process.env, PUBLIC_URL: url(), TOOLGATE_ADMIN_TOKEN: 'admin' },
  });
  child.stdin.end('piped-in-for-real\n');
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect([code, out]).toEqual([0, 'The key "default" of github is set for everybody.\n']);
  expect(await world.stored()).toEqual({ 'shared - - github default': 'piped-in-for-real' });
});

test('what may be a mistake is told', async () => {
  const { code, errors } = await toolgate('credentials set github --name defualt', 'a-long-enough-value');
  expect([code, errors]).toEqual([0, 'Note: github asks for no key "defualt"; did you mean "default"?\n']);
});

test('a group is of a tenant by itself, so both at once are used wrongly', async () => {
  expect((await toolgate('credentials set github --group Developers --tenant acme', 'x')).code).toBe(2);
  expect((await toolgate('credentials list --group Developers --user alice@acme.com')).code).toBe(2);
});

test('missing keys are listed', async () => {
  const { out } = await toolgate('credentials missing');
  expect(out).toContain('github  default   header Authorization       acme, globex; people without a tenant');
  expect((await toolgate('credentials missing --tenant globex')).out).not.toContain('acme');
});

test('which key is used is explained, and what is shown cannot steer the terminal', async () => {
  expect((await toolgate('credentials explain github --user alice@acme.com')).out).toBe(
    'default: None:  [2Jnothing is set.\n  - The key of the tenant globex is not used.\n',
  );
});

const csv =
  'level,owner,tenant,server,name,value\nshared,,,github,,canary-value-1234\ntenant,acme,,crm,user,canary-value-5678\n';

test('an import shows what it would do, and does it when it is told to', async () => {
  const file = fileWith('keys.csv', csv);
  const dry = await toolgate(`credentials import ${file} --dry-run`);
  expect(dry).toMatchObject({ code: 0, asked: [] });
  expect(dry.out).toContain('2     create  shared                 github  default  1234\n');
  expect(dry.out).toContain('Nothing was stored.');
  expect(await toolgate(`credentials import ${file}`, ['n'])).toMatchObject({ code: 1 });
  expect(await toolgate(`credentials import ${file}`, 'piped')).toMatchObject({ code: 1 });
  expect(await world.stored()).toEqual({});
  const done = await toolgate(`credentials import ${file}`, ['y']);
  expect(done.asked).toEqual(['Store 2 keys? What is replaced cannot be brought back. [y/N] ']);
  expect(done.out).toContain(`Stored 2 keys. Delete ${file}.`);
  expect(await world.stored()).toEqual({
    'shared - - github default': 'canary-value-1234',
    'tenant acme acme crm user': 'canary-value-5678',
  });
  const again = await toolgate(`credentials import ${file} --yes --json`);
  expect(JSON.parse(again.out)).toMatchObject({
    stored: 2,
    rows: [{ action: 'replace' }, { action: 'replace' }],
  });
  for (const { out, errors } of [dry, done, again]) expect(out + errors).not.toContain('canary');
});

test('rows that are wrong keep the others out, unless they are to be skipped', async () => {
  const file = fileWith('wrong.csv', `${csv}tenant,nobody,,github,,canary-value-9999\n`);
  const refused = await toolgate(`credentials import ${file} --yes`);
  expect(refused.code).toBe(1);
  expect(refused.out).toContain('Line 4 names a tenant that there is not.');
  expect(refused.errors).toContain('Nothing is stored, because of 1 wrong row');
  expect(await world.stored()).toEqual({});
  expect(await toolgate(`credentials import ${file} --yes --skip-errors`)).toMatchObject({ code: 0 });
  expect(Object.keys(await world.stored())).toHaveLength(2);
});

test('what Excel writes is read or refused, and nothing is stored damaged', async () => {
  const tabs = csv.replaceAll(',', '\t').replaceAll('\n', '\r\n').replace('1234', 'ü234');
  const file = fileWith('keys.txt', Buffer.from(`\uFEFF${tabs}`, 'utf16le'));
  expect(await toolgate(`credentials import ${file} --yes`)).toMatchObject({ code: 0 });
  expect((await world.stored())['shared - - github default']).toBe('canary-value-ü234');
  const old = fileWith('old.csv', Buffer.from(csv.replace('1234', 'ü234').replaceAll(',', ';'), 'latin1'));
  const refused = await toolgate(`credentials import ${old} --yes`);
  expect(refused).toMatchObject({ code: 1, out: '' });
  expect(refused.errors).toMatch(/old\.csv is not UTF-8: line 2 .*"CSV UTF-8"/);
});

test('a .env file is known by its name', async () => {
  const file = fileWith('.env', 'PORT=8085\nGITHUB_TOKEN=ghp_0123456789\n');
  const { code, out } = await toolgate(`credentials import ${file} --tenant acme --yes`);
  expect(code).toBe(0);
  expect(out).toContain('Line 1 PORT: no server takes it as a key.');
  expect(Object.keys(await world.stored())).toEqual(['tenant acme acme github default']);
  expect(await toolgate(`credentials import ${path.join(directory, 'nothing')}`)).toMatchObject({ code: 1 });
});
