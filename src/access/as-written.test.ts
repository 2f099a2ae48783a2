import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../test/database.ts';
import { applyFile } from './apply-file.ts';
import { accessFile } from './contract.ts';
import { filledFor } from './filled.ts';
import { loadSnapshot, type Snapshot } from './snapshot.ts';

const file = accessFile.parse({
  mcpServers: {
    inside: {
      url: 'http://10.0.0.7/mcp',
      headers: { Authorization: 'Bearer ${env:INSIDE_TOKEN}' },
      timeoutMs: 5_000,
    },
    routed: { url: 'https://${variable:host}/mcp' },
    files: { command: 'mcp-server-files', args: ['--root', 'x'] },
  },
  tenants: {
    acme: {
      endpoints: { inside: 'http://10.0.0.8/mcp' },
      variables: { routed: { host: 'inside.acme.com' } },
    },
  },
});

async function setup() {
  const { db } = await testDatabase();
  await applyFile(db, file, { prune: false, actor: 'config-file' });
  return db;
}

function standing(snapshot: Snapshot, server: string, tenant: string | null = null) {
  const found = snapshot.servers.get(server);
  const filled =
    found && filledFor(snapshot, found, tenant === null ? null : (snapshot.tenants.get(tenant) ?? null));
  if (!filled?.ok) throw new Error('cannot be filled in');
  return { trusted: filled.trusted, takesEnvironment: filled.takesEnvironment };
}

const own = { trusted: true, takesEnvironment: true };
const notOwn = { trusted: false, takesEnvironment: false };

test('what the file says is the operator’s own, whoever changed what says nothing of where it leads', async () => {
  const db = await setup();
  await sql`update mcp_proxy.servers set definition = jsonb_set(definition, '{timeoutMs}', '9000')`.execute(
    db,
  );
  const snapshot = await loadSnapshot(db, [file]);
  expect(standing(snapshot, 'inside')).toEqual(own);
  expect(standing(snapshot, 'inside', 'acme')).toEqual(own);
  expect(standing(snapshot, 'routed', 'acme')).toEqual(own);
  expect(standing(snapshot, 'files')).toEqual(own);
});

test.each([
  ['another address', sql`jsonb_set(definition, '{url}', '"https://evil.example/mcp"')`],
  ['another header', sql`jsonb_set(definition, '{headers}', '{"X": "$\{env:DATABASE_URL}"}')`],
  ['another type', sql`jsonb_set(definition, '{type}', '"sse"')`],
])('a row with %s is not the file’s, although it says so', async (_, definition) => {
  const db = await setup();
  await sql`update mcp_proxy.servers set definition = ${definition} where id = 'inside'`.execute(db);
  expect(standing(await loadSnapshot(db, [file]), 'inside')).toEqual(notOwn);
});

test('nor is a server, an address or a value that the file does not have', async () => {
  const db = await setup();
  await sql`
    insert into mcp_proxy.servers (id, definition, managed_by)
    select 'planted', definition, 'file' from mcp_proxy.servers where id = 'inside'`.execute(db);
  await sql`update mcp_proxy.tenant_server_endpoints set endpoint_url = 'http://10.0.0.9/mcp'`.execute(db);
  await sql`update mcp_proxy.tenant_variables set value = 'other.acme.com'`.execute(db);
  const snapshot = await loadSnapshot(db, [file]);
  expect(standing(snapshot, 'planted')).toEqual(notOwn);
  expect(standing(snapshot, 'inside', 'acme')).toEqual(notOwn);
  expect(standing(snapshot, 'routed', 'acme')).toEqual(notOwn);
  expect(standing(snapshot, 'inside')).toEqual(own);
});

test('while another content is put in force, either counts', async () => {
  const db = await setup();
  const next = accessFile.parse({ mcpServers: { inside: { url: 'http://10.0.0.10/mcp' } } });
  expect(standing(await loadSnapshot(db, [next, file]), 'inside')).toEqual(own);
  expect(standing(await loadSnapshot(db, [next]), 'inside')).toEqual(notOwn);
});
