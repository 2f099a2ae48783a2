import { beforeEach, expect, test } from 'vitest';
import { adminListener } from '../test/admin-listener.ts';
import type { Principal } from '../src/access/contract.ts';
import { createAdminApp } from '../src/admin/index.ts';
import { route } from '../src/platform/contract.ts';
import { createLog } from '../src/platform/log.ts';
import {
  masterKeysApi as api,
  type RotationProgress,
  type UnreadableSecret,
} from '../src/secrets/contract.ts';
import { run } from './main.ts';

const [k1, k2] = ['0a0a0a0a', '0b0b0b0b'];
const closed: UnreadableSecret = {
  ...{ table: 'user_credentials', tenant: 'acme', level: 'user', owner: 'alice@acme.com', server: 'github' },
  ...{ name: 'default\u001b[2J', keyId: k1, reason: 'needs a master key that is not here' },
};
const progress: RotationProgress = {
  ...{ to: k2, askedAt: '2026-11-20T12:00:00.000Z', running: true, total: 10, done: 4, remaining: 6 },
  ...{ failed: 0, failures: [] },
};
const principal: Principal = {
  ...{ kind: 'service', id: 'admin-token', assertedGroups: [], assertedBy: null, tokenTenant: null },
  ...{ authSource: 'admin-token', credentialId: 'admin-token' },
};

const seen: unknown[] = [];
/** What the next looks at the rotation show. */
let looks: RotationProgress[] = [];
let begun: RotationProgress & { wasMade: boolean };
const app = createAdminApp({
  log: createLog('silent'),
  version: '0',
  publicUrl: 'http://localhost',
  authenticate: async () => ({ principal, isAdmin: true }),
  routes: [
    route(api.listMasterKeys, async () => ({
      source: 'environment' as const,
      ...{ inForce: k2, problem: 'One is missing.' },
      items: [
        {
          ...{ id: k1, held: false, source: null, inForce: false, secrets: 1 },
          firstUsedAt: null,
          retiredAt: null,
        },
        {
          ...{ id: k2, held: true, source: 'azure', inForce: true, secrets: 9 },
          firstUsedAt: null,
          retiredAt: null,
        },
      ],
      unreadable: { count: 1, items: [closed] },
    })),
    route(api.rotateMasterKey, async ({ body }) => {
      seen.push(body);
      return begun;
    }),
    route(
      api.masterKeyRotation,
      async () => looks.shift() ?? { ...progress, done: 10, remaining: 0, running: false },
    ),
    route(api.retireMasterKey, async ({ params, body }) => {
      seen.push({ ...params, ...body });
      return { deleted: body.deleteSecrets ? 3 : 0 };
    }),
  ],
});

const { url } = adminListener(app);
beforeEach(() => {
  seen.length = 0;
  looks = [];
  begun = { ...progress, wasMade: false };
});

async function cli(...args: string[]) {
  const text = { out: '', error: '' };
  const code = await run(['--url', url(), 'keys', ...args], {
    env: { TOOLGATE_ADMIN_TOKEN: 'right' },
    write: (more) => void (text.out += more),
    writeError: (more) => void (text.error += more),
    complain: (message) => void (text.error += message),
  });
  return { code, ...text };
}

test('the list shows the keys by their ids, and whose secrets cannot be opened, without control characters', async () => {
  const { code, out, error } = await cli('list');
  expect(code).toBe(0);
  expect(out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['KEY', 'STATE', 'FROM', 'SECRETS', 'FIRST USED'],
    [k1, 'not here', '-', '1', '-'],
    [k2, 'in force', 'azure', '9', '-'],
    ['SERVER', 'NAME', 'OF', 'TENANT', 'CANNOT BE OPENED: IT', 'KEY'],
    ['github', 'default [2J', 'user alice@acme.com', 'acme', closed.reason, k1],
    [''],
  ]);
  expect(error).toBe('One is missing.\n');
});

test('a rotation is waited for until everything is sealed anew', async () => {
  begun = { ...progress, wasMade: true };
  looks = [{ ...progress, done: 8, remaining: 2 }];
  const { code, out, error } = await cli('rotate');
  expect([code, out]).toEqual([0, `10 of 10 secrets are sealed under ${k2}.\n`]);
  expect(error).toContain(`The master key ${k2} is in force. It was made now: keep a copy`);
  expect(seen).toEqual([{}]);
});

test('it need not be waited for, and may be to a key that is named', async () => {
  const { code, out } = await cli('rotate', '--to', k2, '--no-wait');
  expect([code, out]).toEqual([
    0,
    `4 of 10 secrets are sealed under ${k2}; 6 are left, and a process goes on with them.\n`,
  ]);
  expect(seen).toEqual([{ to: k2 }]);
});

test('what cannot be opened is told, and makes the command fail', async () => {
  begun = { ...progress, remaining: 0, failed: 1, done: 9, failures: [closed], wasMade: false };
  const { code, out } = await cli('rotate');
  expect(code).toBe(1);
  expect(out).toContain(`9 of 10 secrets are sealed under ${k2}; 1 cannot be opened and stay as they are.`);
  expect(out).toContain('alice@acme.com');
});

test('a key is retired by its id; secrets are deleted only when that is said, and confirmed', async () => {
  expect((await cli('retire', k1)).out).toContain(`${k1} is retired. Take it out`);
  expect((await cli('retire', k1, '--delete-secrets', '--confirm', k1)).out).toContain(
    '3 secrets were deleted',
  );
  expect(seen).toEqual([
    { id: k1, deleteSecrets: false },
    { id: k1, deleteSecrets: true, confirm: k1 },
  ]);
});

test.each([[['retire']], [['rotate', k1]], [['wrap']]])('keys %j is used wrongly', async (args) => {
  const { code } = await cli(...args);
  expect([code, seen]).toEqual([2, []]);
});

test('what is no id is refused before anything is done', async () => {
  for (const args of [
    ['retire', 'nonsense'],
    ['rotate', '--to', 'nonsense'],
  ]) {
    const { code, error } = await cli(...args);
    expect([code, seen]).toEqual([1, []]);
    expect(error).not.toBe('');
  }
});
