import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { caller } from '../../test/access-world.ts';
import { asOwner, testDatabase } from '../../test/database.ts';
import { can } from './can.ts';
import { rightsOf } from './rights.ts';
import { loadSnapshot } from './snapshot.ts';

test('the snapshot holds what the tables hold', async () => {
  const { db } = await testDatabase();
  await sql`insert into mcp_proxy.tenants (id, display_name, email_domains) values ('acme', 'Acme', '{acme.com}')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.servers (id, definition, enabled, managed_by) values
    ('github', '{"type":"http","url":"https://x.org/","enabled":true}', false, 'file'),
    ('files', '{"type":"stdio","command":"files","tools":["get_*"]}', true, 'admin')`.execute(db);
  await sql`insert into mcp_proxy.tenant_server_endpoints (tenant_id, server_id, endpoint_url, source)
    values ('acme', 'github', 'https://y.org/', 'file')`.execute(db);
  await sql`insert into mcp_proxy.groups (name, display_name, tenant_id, external_ids) values ('g', 'G', 'acme', '{x1}')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.users (email, disabled, default_tenant) values
    ('a@acme.com', true, 'acme'), ('*@acme.com', false, null)`.execute(db);
  await sql`insert into mcp_proxy.user_identities (issuer, subject, user_email) values ('https://idp', 's1', 'a@acme.com')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.memberships (user_email, group_name, source, expires_at)
    values ('a@acme.com', 'g', 'oidc:corp', '2030-01-01T00:00:00Z')`.execute(db);
  // As a runbook of the first system does it.
  await asOwner(db, (owner) =>
    sql`insert into mcp_proxy.group_tenant_mapping (group_name, tenant_id) values ('g', 'files')`.execute(
      owner,
    ),
  );
  const snapshot = await loadSnapshot(db);
  expect([...snapshot.servers.keys()]).toEqual(['files', 'github']);
  expect(snapshot.servers.get('github')).toMatchObject({
    managedBy: 'file',
    definition: { enabled: false, url: 'https://x.org/' },
  });
  expect(snapshot.servers.get('files')?.rule.allows('set_x')).toBe(false);
  expect(snapshot.endpointOf('acme', 'github')).toEqual({ url: 'https://y.org/', managedBy: 'file' });
  expect(snapshot.endpointOf('acme', 'files')).toBeUndefined();
  expect(snapshot.groupsByExternalId.get('x1')?.map((group) => group.name)).toEqual(['g']);
  expect(snapshot.memberByIdentity('https://idp', 's1')?.id).toBe('a@acme.com');
  expect(snapshot.memberByIdentity('https://idp', 's2')).toBeUndefined();
  expect(snapshot.members.get('a@acme.com')).toMatchObject({
    disabled: true,
    defaultTenant: 'acme',
    memberships: [
      {
        group: { name: 'g', tenant: 'acme' },
        source: 'oidc:corp',
        expiresAt: Date.parse('2030-01-01T00:00:00Z'),
      },
    ],
    identities: [{ issuer: 'https://idp', subject: 's1' }],
  });
  expect(snapshot.patterns.get('acme.com')?.id).toBe('*@acme.com');
  expect(snapshot.groups.get('g')?.grants.get('files')?.whole).toBe(true);
  expect(snapshot.problems).toEqual([]);
});

test('a row that makes no sense is left out and told; the rest stands', async () => {
  const { db } = await testDatabase();
  await sql`insert into mcp_proxy.servers (id, definition) values
    ('bad', '{"type":"http","url":"javascript:alert(1)"}'), ('worse', 'null'), ('good', '{"type":"stdio","command":"x"}')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.users (email) values ('a@x.org')`.execute(db);
  await sql`insert into mcp_proxy.user_grants (user_email, server_id, tools) values
    ('a@x.org', 'bad', '{*}'), ('a@x.org', 'good', array['get_*', null])`.execute(db);
  const snapshot = await loadSnapshot(db);
  expect([...snapshot.servers.keys()]).toEqual(['good']);
  expect(snapshot.problems.map(({ server }) => server)).toEqual(['bad', 'worse']);
  const may = (server: string, tool: string) => can(snapshot, caller('a@x.org'), { server, tool }, 0).allow;
  expect([may('bad', 'get_x'), may('good', 'get_x'), may('good', 'x')]).toEqual([false, true, false]);
});

test('15,000 users with 60,000 memberships load, and share what is the same', async () => {
  const { db } = await testDatabase();
  await sql`insert into mcp_proxy.servers (id, definition)
    select 's' || n, '{"type":"stdio","command":"x"}' from generate_series(1, 70) n`.execute(db);
  await sql`insert into mcp_proxy.groups (name, display_name) select 'g' || n, 'G' from generate_series(0, 99) n`.execute(
    db,
  );
  await sql`insert into mcp_proxy.group_grants (group_name, server_id)
    select 'g' || g, 's' || (1 + (g + n) % 70) from generate_series(0, 99) g, generate_series(0, 4) n`.execute(
    db,
  );
  await sql`insert into mcp_proxy.users (email) select 'u' || n || '@x.org' from generate_series(1, 15000) n`.execute(
    db,
  );
  await sql`insert into mcp_proxy.memberships (user_email, group_name, source)
    select 'u' || n || '@x.org', 'g' || ((n + k * 7) % 100), 'scim' from generate_series(1, 15000) n, generate_series(0, 3) k`.execute(
    db,
  );
  const snapshot = await loadSnapshot(db);
  expect(snapshot.members.size).toBe(15_000);
  const rights = [...snapshot.members.keys()].map((id) => rightsOf(snapshot, caller(id), 0));
  expect(rights.every(({ groups, servers }) => groups.length === 4 && servers.length > 4)).toBe(true);
  expect(new Set(rights.map(({ signature }) => signature)).size).toBeLessThanOrEqual(100);
  const memberships = [...snapshot.members.values()].flatMap((member) => member.memberships);
  expect(memberships).toHaveLength(60_000);
  expect(new Set(memberships).size).toBe(100);
});
