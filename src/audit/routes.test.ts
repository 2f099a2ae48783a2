import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../test/database.ts';
import type { Endpoint } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { toRow } from './call-row.ts';
import { api, type AuditEntry, type CallRecord } from './contract.ts';
import { anchorSigner } from './chain/anchor-line.ts';
import { auditRoutes } from './routes.ts';
import { insertCalls, writeAudit } from './store.ts';

const records = {
  ...{ signer: anchorSigner(Buffer.alloc(32)), brokenSince: async () => null },
  recheck: async () => undefined,
};

type Items = { items: Record<string, unknown>[]; nextCursor: string | null };

/** Calls a route the way the app does: input and output pass through the contract. */
async function get(db: Db, endpoint: Endpoint, query: Record<string, unknown> = {}): Promise<Items> {
  const found = auditRoutes({ db, records }).find((route) => route.endpoint === endpoint);
  const actor = { id: 'admin-token', requestId: 'r', clientIp: '::1' };
  const answer = await found?.handle({
    params: {},
    query: endpoint.query.parse(query),
    body: undefined,
    actor,
  });
  return endpoint.output.parse(answer) as Items;
}

async function everyPage(
  db: Db,
  endpoint: Endpoint,
  query: Record<string, unknown>,
): Promise<Items['items']> {
  const items: Items['items'] = [];
  let cursor: string | null | undefined;
  do {
    const answer: Items = await get(db, endpoint, { ...query, ...(cursor ? { cursor } : {}) });
    items.push(...answer.items);
    cursor = answer.nextCursor;
  } while (cursor);
  return items;
}

const entry = (over: Partial<AuditEntry> = {}): AuditEntry => ({
  actor: 'alice@acme.com',
  action: 'group.create',
  targetKind: 'group',
  targetId: 'MCP-GitHub',
  ...over,
});

async function storeCall(db: Db, over: Partial<CallRecord>): Promise<void> {
  const record: CallRecord = {
    id: randomUUID(),
    at: Date.UTC(2026, 10, 20),
    requestId: 'r-1',
    principal: 'alice@acme.com',
    authSource: null,
    tenant: null,
    face: 'stream',
    httpMethod: 'POST',
    endpoint: '/mcp',
    rpcMethod: null,
    server: 'github',
    tool: null,
    outcome: 'ok',
    reason: null,
    status: 200,
    milliseconds: 1,
    bytesIn: 1,
    bytesOut: 1,
    userAgent: null,
    clientIp: null,
    credentialId: null,
    arguments: null,
    ...over,
  };
  await insertCalls(db, [toRow(record)]);
}

test('an audit entry is listed with what changed', async () => {
  const { db } = await testDatabase();
  await writeAudit(
    db,
    entry({ tenant: 'acme', before: null, after: { admin: true }, requestId: 'r-7', clientIp: '::1' }),
  );
  const { items } = await get(db, api.listAudit);
  expect(items).toEqual([
    expect.objectContaining({
      actor: 'alice@acme.com',
      action: 'group.create',
      targetKind: 'group',
      targetId: 'MCP-GitHub',
      tenant: 'acme',
      before: null,
      after: { admin: true },
      requestId: 'r-7',
      clientIp: '::1',
    }),
  ]);
});

test('an audit entry goes with the transaction it was written in', async () => {
  const { db } = await testDatabase();
  const failing = db.transaction().execute(async (trx) => {
    await writeAudit(trx, entry());
    throw new Error('the change failed');
  });
  await expect(failing).rejects.toThrow('the change failed');
  expect((await get(db, api.listAudit)).items).toEqual([]);
});

test('values that look like secrets never reach the audit log', async () => {
  const { db } = await testDatabase();
  const canary = 'canary-9f2c';
  const after = {
    value: canary,
    nested: [
      { apiToken: canary, Authorization: canary, client_secret: { deep: canary }, 'x-api-key': canary },
    ],
    definition: { headers: { 'X-Anything': canary }, env: { PLAIN_NAME: canary } },
    mayForwardUsers: 'signed',
    nul: 'a\u0000b',
  };
  await writeAudit(db, entry({ before: { password: canary }, after }));
  const { rows } = await sql<{ row: string }>`select a::text as row from mcp_proxy.audit_log a`.execute(db);
  expect(rows[0]?.row).not.toContain(canary);
  const { items } = await get(db, api.listAudit);
  expect(items[0]?.after).toMatchObject({
    definition: { headers: { 'X-Anything': '[redacted]' }, env: { PLAIN_NAME: '[redacted]' } },
    mayForwardUsers: 'signed',
    nul: 'ab',
  });
});

test('pages of the audit log show every entry once, newest first, also those of one moment', async () => {
  const { db } = await testDatabase();
  await db.transaction().execute(async (trx) => {
    for (let n = 1; n <= 5; n += 1) await writeAudit(trx, entry({ targetId: `g${n}` })); // now() is one moment here.
  });
  await writeAudit(db, entry({ targetId: 'g6' }));
  const items = await everyPage(db, api.listAudit, { limit: 2 });
  expect(items.map((item) => item['targetId'])).toEqual(['g6', 'g5', 'g4', 'g3', 'g2', 'g1']);
});

test('pages of the analytics show every call once', async () => {
  const { db } = await testDatabase();
  for (let n = 0; n < 7; n += 1)
    await storeCall(db, { requestId: `r-${n}`, at: Date.UTC(2026, 0, 1) + (n % 3) });
  const items = await everyPage(db, api.listAnalytics, { limit: 3 });
  expect(new Set(items.map((item) => item['requestId'])).size).toBe(7);
  const times = items.map((item) => String(item['timestamp']));
  expect(times).toEqual(times.toSorted().reverse());
});

test.each([
  [{ actor: 'bob@acme.com' }, ['b']],
  [{ action: 'group.delete' }, ['c']],
  [{ target: 'a' }, ['a']],
  [{ search: 'BOB@' }, ['b']],
  [{ search: '100%' }, []],
  [{ search: '_' }, []],
  [{ search: '\u0000' }, ['c', 'b', 'a']],
  [{ search: "'; drop table mcp_proxy.audit_log; --" }, []],
  [{ from: '2100-01-01T00:00:00Z' }, []],
  [{ from: '2020-01-01T00:00:00+02:00', to: '2100-01-01T00:00:00Z' }, ['c', 'b', 'a']],
])('GET /audit with %j finds %j', async (query, expected) => {
  const { db } = await testDatabase();
  await writeAudit(db, entry({ targetId: 'a' }));
  await writeAudit(db, entry({ targetId: 'b', actor: 'bob@acme.com' }));
  await writeAudit(db, entry({ targetId: 'c', action: 'group.delete' }));
  const { items } = await get(db, api.listAudit, query);
  expect(items.map((item) => item['targetId'])).toEqual(expected);
});

test.each([
  [{}, ['3', '2', '1']],
  [{ user: 'bob@acme.com' }, ['2']],
  [{ tenant: 'acme' }, ['3']],
  [{ server: 'files', tool: 'read' }, ['2']],
  [{ outcome: 'denied' }, ['3']],
  [{ requestId: '1' }, ['1']],
  [{ search: 'not_granted' }, ['3']],
  [{ from: '2026-01-02T00:00:00Z', to: '2026-01-03T00:00:00Z' }, ['2']],
])('GET /analytics with %j finds %j', async (query, expected) => {
  const { db } = await testDatabase();
  const at = (day: number) => Date.UTC(2026, 0, day);
  await storeCall(db, { requestId: '1', at: at(1) });
  await storeCall(db, {
    requestId: '2',
    at: at(2),
    principal: 'bob@acme.com',
    server: 'files',
    tool: 'read',
  });
  await storeCall(db, {
    requestId: '3',
    at: at(3),
    tenant: 'acme',
    outcome: 'denied',
    reason: 'not_granted',
  });
  const { items } = await get(db, api.listAnalytics, query);
  expect(items.map((item) => item['requestId'])).toEqual(expected);
});

test.each(['', 'x', Buffer.from('["2026-01-01T00:00:00Z","1; drop"]').toString('base64url')])(
  'the cursor %j, which no list gave out, is refused',
  async (cursor) => {
    const { db } = await testDatabase();
    await expect(get(db, api.listAudit, { cursor })).rejects.toMatchObject({
      code: 'cursor_invalid',
      status: 400,
    });
    await expect(get(db, api.listAnalytics, { cursor })).rejects.toMatchObject({ code: 'cursor_invalid' });
  },
);
