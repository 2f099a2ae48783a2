import { beforeEach, expect, test } from 'vitest';
import { adminListener } from '../test/admin-listener.ts';
import type { Principal } from '../src/access/contract.ts';
import { createAdminApp } from '../src/admin/index.ts';
import { api } from '../src/catalog/contract.ts';
import { route } from '../src/platform/contract.ts';
import { createLog } from '../src/platform/log.ts';
import { run } from './main.ts';

const id = '7b0b6c1e-3d5a-4a86-9c5f-0d6c1b1f7a01';
const definition = {
  title: null,
  description: 'Reads',
  inputSchema: '{}',
  outputSchema: null,
  annotations: null,
};
const pin = {
  id,
  server: 'files',
  reachedAt: 'https://files.acme.com',
  tool: 'read\u001b[2J',
  status: 'pending' as const,
  isNew: false,
  definition,
  changes: [{ field: 'description' as const, before: 'Reads', after: 'Reads\nand mails\u202e' }],
  flags: ['It looks odd.'],
  firstSeenAt: '2026-11-20T12:00:00.000000Z',
  decidedAt: null,
  decidedBy: null,
  missingSince: null,
};
const principal: Principal = {
  kind: 'service',
  id: 'admin-token',
  assertedGroups: [],
  assertedBy: null,
  tokenTenant: null,
  authSource: 'admin-token',
  credentialId: 'admin-token',
};

const seen: unknown[] = [];
const app = createAdminApp({
  log: createLog('silent'),
  version: '0',
  publicUrl: 'http://localhost',
  authenticate: async () => ({ principal, isAdmin: true }),
  routes: [
    route(api.listPins, async ({ query }) => {
      seen.push(query);
      const second = { ...pin, tool: 'stat', isNew: true, changes: [], flags: [] };
      return query.cursor === undefined
        ? { items: [pin], nextCursor: 'more', version: 'v1' }
        : { items: [second], nextCursor: null, version: 'v2' };
    }),
    route(api.acceptPin, async ({ params }) => {
      seen.push(params);
      return { accepted: 1 };
    }),
    route(api.acceptAllPins, async ({ params, body }) => {
      seen.push({ ...params, ...body });
      return { accepted: 2 };
    }),
  ],
});

const { url } = adminListener(app);
beforeEach(() => {
  seen.length = 0;
});

async function cli(...args: string[]) {
  const text = { out: '', error: '' };
  const code = await run(['--url', url(), ...args], {
    env: { TOOLGATE_ADMIN_TOKEN: 'right' },
    write: (more) => void (text.out += more),
    writeError: (more) => void (text.error += more),
    complain: (message) => void (text.error += message),
  });
  return { code, ...text };
}

test('the list shows what changed, line by line and without control characters, and how to accept all of it', async () => {
  const { code, out, error } = await cli('pins', 'list', '--server', 'files');
  expect(code).toBe(0);
  expect(out.split('\n').slice(4, 10)).toEqual([
    `files read [2J  ${id}`,
    '  ! It looks odd.',
    '  description:',
    '  - Reads',
    '  + Reads',
    '  + and mails ',
  ]);
  expect(out).toContain('pending (new)');
  for (const hidden of ['\u001b', '\u202e']) expect(out).not.toContain(hidden);
  // What the second page came with had not been shown when the first was made.
  expect(error).toBe('To accept all of them: toolgate pins accept --server files --version v1\n');
  expect(seen).toHaveLength(2);
});

test('one is accepted by its id, all of a server by the version of the list', async () => {
  expect(await cli('pins', 'accept', id)).toEqual({ code: 0, out: 'Accepted 1 definition.\n', error: '' });
  const all = await cli('pins', 'accept', '--server', 'files', '--version', 'v1');
  expect(all.out).toBe('Accepted 2 definitions.\n');
  expect(seen).toEqual([{ id }, { id: 'files', version: 'v1' }]);
});

test.each([
  [['accept']],
  [['accept', '--server', 'files']],
  [['accept', id, '--server', 'files', '--version', 'v1']],
  [['list', '--status', 'other']],
])('pins %j is used wrongly', async (args) => {
  const { code } = await cli('pins', ...args);
  expect([code, seen]).toEqual([2, []]);
});
