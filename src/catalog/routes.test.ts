import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../test/database.ts';
import type { Principal } from '../access/contract.ts';
import { createAdminApp } from '../admin/index.ts';
import type { Db } from '../platform/db/index.ts';
import { AppError } from '../platform/errors.ts';
import { createLog } from '../platform/log.ts';
import type { pinView } from './contract.ts';
import { pinRoutes } from './routes.ts';
import type { z } from 'zod';

const admin: Principal = {
  kind: 'user',
  id: 'root@acme.com',
  assertedGroups: [],
  assertedBy: null,
  tokenTenant: null,
  authSource: 'api-token',
  credentialId: 'test',
};

interface Answer {
  items: z.infer<typeof pinView>[];
  nextCursor: string | null;
  version: string;
  accepted: number;
  error: { code: string };
}

async function world() {
  const { db } = await testDatabase();
  await sql`insert into mcp_proxy.servers (id, definition) values ('files', '{}'), ('mail', '{}')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.pin_places (server_id, place, reached_at) values
    ('files', 'p', 'https://files.acme.com'), ('mail', 'p', 'node mail.js')`.execute(db);
  let refreshed = 0;
  const app = createAdminApp({
    routes: pinRoutes({
      db,
      pins: {
        nameFlags: (tool) => (tool === 'odd' ? ['It looks odd.'] : []),
        refresh: async () => {
          refreshed++;
        },
      },
    }),
    authenticate: async (request) => {
      const token = request.headers.get('authorization');
      if (!token) throw new AppError('unauthenticated', 401, 'Who are you?');
      return { principal: admin, isAdmin: token === 'Bearer admin' };
    },
    log: createLog('silent'),
    version: '0',
    publicUrl: 'http://localhost',
  });
  const ask = async (request: string, body?: unknown, token: string | null = 'admin') => {
    const [method = '', path = ''] = request.split(' ');
    const response = await app.fetch(
      new Request(`http://localhost/mcp-admin/api${path}`, {
        method,
        headers: {
          ...(token !== null && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
      { requestId: 'r-1', clientIp: '127.0.0.1' },
    );
    // Each test looks only at the members that its request is answered with.
    return { status: response.status, body: (await response.json()) as Answer };
  };
  return { db, ask, refreshed: () => refreshed };
}

async function pin(
  db: Db,
  tool: string,
  more: { server?: string; status?: 'accepted' | 'pending'; description?: string; missing?: boolean } = {},
): Promise<string> {
  const { server = 'files', status = 'pending', description = `The tool ${tool}`, missing = false } = more;
  const id = randomUUID();
  const definition = { title: null, description, inputSchema: '{}', outputSchema: null, annotations: null };
  const isAccepted = status === 'accepted';
  await sql`insert into mcp_proxy.tool_pins
    (id, server_id, place, tool, hash, status, definition, decided_at, decided_by, missing_since)
    values (${id}, ${server}, 'p', ${tool}, ${id}, ${status}, ${JSON.stringify(definition)}::jsonb,
      case when ${isAccepted} then now() end, case when ${isAccepted} then 'first sight' end,
      case when ${missing} then now() end)`.execute(db);
  return id;
}

async function audited(db: Db) {
  const { rows } = await sql<{ entry: string }>`
    select concat_ws(' ', actor, action, target_id, after->>'tool', request_id) as entry
    from mcp_proxy.audit_log order by id`.execute(db);
  return rows.map(({ entry }) => entry);
}

test('a changed tool is shown beside what was accepted, field by field', async () => {
  const { db, ask } = await world();
  await pin(db, 'read', { status: 'accepted', description: 'Reads a file' });
  const changed = await pin(db, 'read', { description: 'Reads a file and mails it' });
  const { status, body } = await ask('GET /pins?server=files&status=pending');
  expect(status).toBe(200);
  expect(body.items).toEqual([
    {
      id: changed,
      server: 'files',
      reachedAt: 'https://files.acme.com',
      tool: 'read',
      status: 'pending',
      isNew: false,
      definition: expect.objectContaining({ description: 'Reads a file and mails it', inputSchema: '{}' }),
      changes: [{ field: 'description', before: 'Reads a file', after: 'Reads a file and mails it' }],
      flags: [],
      firstSeenAt: expect.stringMatching(/Z$/),
      decidedAt: null,
      decidedBy: null,
      missingSince: null,
    },
  ]);
});

test('lists are filtered, searched and paged', async () => {
  const { db, ask } = await world();
  for (const tool of ['a', 'b', 'odd']) await pin(db, tool);
  await pin(db, 'gone_%', { status: 'accepted', missing: true });
  await pin(db, 'send', { server: 'mail', status: 'accepted' });
  const names = async (query: string) => (await ask(`GET /pins?${query}`)).body.items.map(({ tool }) => tool);
  expect(await names('')).toEqual(['send', 'gone_%', 'odd', 'b', 'a']);
  expect(await names('status=accepted')).toEqual(['send']);
  expect(await names('status=removed')).toEqual(['gone_%']);
  expect(await names('server=files&status=pending')).toEqual(['odd', 'b', 'a']);
  expect(await names('search=MAIL')).toEqual(['send']);
  expect(await names('search=%25')).toEqual(['gone_%']);
  expect(await names('search=%00')).toHaveLength(5);
  const first = await ask('GET /pins?limit=3');
  const rest = await ask(`GET /pins?limit=3&cursor=${first.body.nextCursor}`);
  expect([...first.body.items, ...rest.body.items].map(({ tool }) => tool)).toEqual([
    'send',
    'gone_%',
    'odd',
    'b',
    'a',
  ]);
  expect(rest.body.nextCursor).toBeNull();
  expect(first.body.items[2]?.flags).toEqual(['It looks odd.']);
});

test('accepting one is recorded under whoever did it, and doing it again changes nothing', async () => {
  const { db, ask, refreshed } = await world();
  const id = await pin(db, 'read');
  expect(await ask(`POST /pins/${id}/accept`)).toEqual({ status: 200, body: { accepted: 1 } });
  expect(await ask(`POST /pins/${id}/accept`)).toEqual({ status: 200, body: { accepted: 0 } });
  const { items } = (await ask('GET /pins')).body;
  expect(items[0]).toMatchObject({ status: 'accepted', decidedBy: 'root@acme.com' });
  expect(await audited(db)).toEqual(['root@acme.com pin.accept files read r-1']);
  expect(refreshed()).toBeGreaterThan(0);
});

test('accepting everything takes what the list showed, of this server alone, and nothing that came since', async () => {
  const { db, ask } = await world();
  await pin(db, 'a');
  await pin(db, 'send', { server: 'mail' });
  const { version } = (await ask('GET /pins?server=files&limit=1')).body;
  await pin(db, 'b');
  const late = await ask('POST /servers/files/pins/accept-all', { version });
  expect([late.status, late.body.error.code]).toEqual([409, 'pins_changed']);
  expect(await audited(db)).toEqual([]);
  const next = (await ask('GET /pins?server=files')).body.version;
  expect(await ask('POST /servers/files/pins/accept-all', { version: next })).toEqual({
    status: 200,
    body: { accepted: 2 },
  });
  const pending = (await ask('GET /pins?status=pending')).body.items;
  expect(pending.map(({ tool }) => tool)).toEqual(['send']);
  expect(await audited(db)).toHaveLength(2);
});

test('a list of all servers has no version', async () => {
  const { ask } = await world();
  expect((await ask('GET /pins')).body.version).toBeNull();
});

test.each([
  ['GET /pins?status=other', undefined, 400, 'invalid_request'],
  ['GET /pins?limit=0', undefined, 400, 'invalid_request'],
  ['GET /pins?cursor=abc', undefined, 400, 'cursor_invalid'],
  ['GET /pins?cursor=WyJ4IiwieSJd', undefined, 400, 'cursor_invalid'],
  ['POST /pins/7/accept', undefined, 400, 'invalid_request'],
  ['POST /pins/7b0b6c1e-3d5a-4a86-9c5f-0d6c1b1f7a01/accept', undefined, 404, 'pin_not_found'],
  ['POST /servers/files/pins/accept-all', {}, 400, 'invalid_request'],
  ['POST /servers/files/pins/accept-all', { version: 'x' }, 409, 'pins_changed'],
  ['POST /servers/none/pins/accept-all', { version: 'x' }, 404, 'server_not_found'],
])('%s with %j is refused', async (request, body, status, code) => {
  const { ask } = await world();
  const answer = await ask(request, body);
  expect([answer.status, answer.body.error.code]).toEqual([status, code]);
});

test.each([
  ['GET /pins', undefined],
  ['POST /pins/7b0b6c1e-3d5a-4a86-9c5f-0d6c1b1f7a01/accept', undefined],
  ['POST /servers/files/pins/accept-all', { version: 'x' }],
])('%s is for admins only', async (request, body) => {
  const { ask } = await world();
  expect((await ask(request, body, null)).status).toBe(401);
  expect((await ask(request, body, 'somebody')).status).toBe(403);
});
