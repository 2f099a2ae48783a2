import { beforeEach, expect, test } from 'vitest';
import { adminListener } from '../test/admin-listener.ts';
import { api, type Principal } from '../src/access/contract.ts';
import { createAdminApp } from '../src/admin/index.ts';
import { route } from '../src/platform/contract.ts';
import { AppError } from '../src/platform/errors.ts';
import { createLog } from '../src/platform/log.ts';
import { run } from './main.ts';

const principal: Principal = {
  ...{ kind: 'service', id: 'admin-token', assertedGroups: [], assertedBy: null, tokenTenant: null },
  ...{ authSource: 'admin-token', credentialId: 'admin-token' },
};
const seen: unknown[] = [];
beforeEach(() => {
  seen.length = 0;
});

const { url } = adminListener(
  createAdminApp({
    ...{ log: createLog('silent'), version: '0', publicUrl: 'http://localhost' },
    authenticate: async () => ({ principal, isAdmin: true }),
    routes: [
      route(api.getGroup, async ({ params: { name } }) => {
        if (name === 'Nobody') throw new AppError('group_not_found', 404, `There is no group ${name}.`);
        return {
          ...{ name, displayName: name, admin: false, tenant: null, externalIds: [], servers: [] },
          ...{ toolOverrides: {}, memberCount: 0, managedBy: 'admin' as const },
        };
      }),
      route(api.grantToGroup, async ({ params, body }) => {
        seen.push({ ...params, ...body });
        return { ok: true as const };
      }),
    ],
  }),
);

async function toolgate(line: string) {
  let out = '';
  const write = (text: string) => void (out += text);
  const env = { PUBLIC_URL: url(), TOOLGATE_ADMIN_TOKEN: 'right' };
  const code = await run(line.split(' '), { env, write, writeError: write, complain: write });
  return { code, out };
}

test('groups get a whole server, or some of its tools', async () => {
  expect(await toolgate('grant github Readers /dept/dev')).toEqual({
    code: 0,
    out: 'Granted to Readers, /dept/dev: every tool of github.\n',
  });
  expect((await toolgate('grant github Readers --tools get_*,!get_secret')).out).toBe(
    'Granted to Readers: get_*, !get_secret of github.\n',
  );
  expect(seen).toEqual([
    { name: 'Readers', server: 'github', tools: ['*'] },
    { name: '/dept/dev', server: 'github', tools: ['*'] },
    { name: 'Readers', server: 'github', tools: ['get_*', '!get_secret'] },
  ]);
});

test('a group that is not there keeps the others from being granted anything', async () => {
  expect(await toolgate('grant github Readers Nobody')).toEqual({
    code: 1,
    out: 'There is no group Nobody.',
  });
  expect(seen).toEqual([]);
  expect((await toolgate('grant github')).code).toBe(2);
});
