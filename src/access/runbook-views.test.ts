import { type RawBuilder, sql } from 'kysely';
import { expect, test } from 'vitest';
import { caller } from '../../test/access-world.ts';
import { asOwner, testDatabase } from '../../test/database.ts';
import { can } from './can.ts';
import { loadSnapshot } from './snapshot.ts';

test('statements of runbooks work on the views, for people and groups that nobody has seen yet', async () => {
  const { db } = await testDatabase();
  await sql`insert into mcp_proxy.servers (id, definition)
    values ('github', '{"type":"http","url":"https://mcp.example.com/"}')`.execute(db);
  const runbook = (statement: RawBuilder<unknown>) => asOwner(db, (owner) => statement.execute(owner));
  await runbook(
    sql`insert into mcp_proxy.group_tenant_mapping (group_name, tenant_id) values ('MCP-GitHub', 'github')`,
  );
  await runbook(
    sql`insert into mcp_proxy.user_group_membership (user_email, group_name) values ('Ann@acme.com', 'MCP-GitHub')`,
  );
  await runbook(
    sql`insert into mcp_proxy.user_tenant_access (user_email, tenant_id, access_level)
      values ('ben@acme.com', 'github', 'read')`,
  );
  const may = async (who: string) =>
    can(await loadSnapshot(db), caller(who), { server: 'github', tool: 'get_me' }, Date.now()).allow;
  expect([await may('ann@acme.com'), await may('ben@acme.com'), await may('eve@acme.com')]).toEqual([
    true,
    true,
    false,
  ]);

  await runbook(sql`delete from mcp_proxy.user_group_membership where user_email = 'ann@acme.com'`);
  await runbook(sql`delete from mcp_proxy.user_tenant_access where user_email = 'ben@acme.com'`);
  expect([await may('ann@acme.com'), await may('ben@acme.com')]).toEqual([false, false]);
});
