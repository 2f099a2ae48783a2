import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { caller } from '../../test/access-world.ts';
import { testDatabase } from '../../test/database.ts';
import { watchChanges } from '../platform/db/index.ts';
import { createLog } from '../platform/log.ts';
import { can, createAccess } from './index.ts';

test('a change in the database reaches the snapshot by itself', async () => {
  const database = await testDatabase();
  const { db } = database;
  const lines: string[] = [];
  const log = createLog('error', { write: (line: string) => void lines.push(line) });
  await sql`insert into mcp_proxy.servers (id, definition) values
    ('files', '{"type":"stdio","command":"x"}'), ('broken', '{}')`.execute(db);
  const changes = await watchChanges(database, { log, clock: Date.now });
  const access = await createAccess({ db, changes, log, clock: Date.now });
  onTestFinished(async () => {
    access.live.close();
    await changes.close();
  });
  const may = () => can(access.snapshot(), caller('*@x.org'), { server: 'files' }, Date.now()).allow;
  expect(may()).toBe(false);
  expect(lines.join()).toContain('The stored definition of the server broken cannot be read');

  const allowed = new Promise<void>((resolve) => access.live.onChange(() => may() && resolve()));
  await sql`insert into mcp_proxy.users (email) values ('*@x.org')`.execute(db);
  await sql`insert into mcp_proxy.user_grants (user_email, server_id) values ('*@x.org', 'files')`.execute(
    db,
  );
  await allowed;
});
