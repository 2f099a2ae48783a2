import { type KyselyPlugin, sql } from 'kysely';
import { expect, test } from 'vitest';
import { asOwner, testDatabase } from '../../test/database.ts';
import type { Db } from '../platform/db/index.ts';
import { api } from './contract.ts';
import { listAudit, listCalls } from './store.ts';

/** The very statement that a store function sends, explained instead of run. */
const explaining: KyselyPlugin = {
  transformQuery: ({ node }) => {
    if (node.kind !== 'RawNode') return node;
    const [first = '', ...others] = node.sqlFragments;
    return { ...node, sqlFragments: [`explain (format json) ${first}`, ...others] };
  },
  transformResult: async ({ result }) => result,
};

async function planOf(db: Db, list: (explained: Db) => Promise<{ items: unknown[] }>): Promise<string> {
  const { items } = await list(db.withPlugin(explaining));
  return JSON.stringify(items);
}

test('pages of 100,000 records are read from the index of time, the first and those after it', async () => {
  const { db } = await testDatabase();
  await asOwner(db, async (owner) => {
    await sql`
      insert into mcp_proxy.api_analytics
        (id, timestamp, request_id, face, method, endpoint, outcome, status_code, response_time_ms, bytes_in, bytes_out)
      select gen_random_uuid(), now() - n * interval '1 second', 'r', 'stream', 'POST', '/mcp', 'ok', 200, 1, 1, 1
      from generate_series(1, 100000) n`.execute(owner);
    await sql`
      insert into mcp_proxy.audit_log (timestamp, actor, action, target_kind, target_id)
      select now() - n * interval '1 second', 'alice@acme.com', 'group.update', 'group', 'g'
      from generate_series(1, 100000) n`.execute(owner);
    await sql`analyze mcp_proxy.api_analytics, mcp_proxy.audit_log`.execute(owner);
  });
  const firstCalls = api.listAnalytics.query.parse({ limit: 50 });
  const firstAudit = api.listAudit.query.parse({ limit: 50 });
  const [calls, audit] = [await listCalls(db, firstCalls), await listAudit(db, firstAudit)];
  const nextCalls = { ...firstCalls, cursor: calls.nextCursor ?? undefined };
  const nextAudit = { ...firstAudit, cursor: audit.nextCursor ?? undefined };
  for (const query of [firstCalls, nextCalls]) {
    const plan = await planOf(db, (explained) => listCalls(explained, query));
    // Of each week, and of what has no week; their indexes are named after it.
    expect(plan).toMatch(/"Index Name":"api_analytics_\w*time/);
    expect(plan).not.toContain('"Node Type":"Sort"');
  }
  for (const query of [firstAudit, nextAudit]) {
    const plan = await planOf(db, (explained) => listAudit(explained, query));
    expect(plan).toContain('"Index Name":"audit_log_time"');
    expect(plan).not.toContain('"Node Type":"Sort"');
  }
});

test('entries of one moment come in the order of their numbers, so that no page leaves one out', async () => {
  const { db } = await testDatabase();
  await asOwner(db, (owner) =>
    sql`
      insert into mcp_proxy.audit_log (timestamp, actor, action, target_kind, target_id)
      select '2026-11-20T10:00:00Z', 'alice@acme.com', 'group.update', 'group', n::text
      from generate_series(1, 12) n`.execute(owner),
  );
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listAudit(db, api.listAudit.query.parse({ limit: 5, cursor }));
    seen.push(...page.items.map(({ targetId }) => targetId));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  expect(seen).toEqual(Array.from({ length: 12 }, (_, at) => String(12 - at)));
});
