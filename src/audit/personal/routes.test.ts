import { readFileSync } from 'node:fs';
import { type RawBuilder, sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import {
  accountsDatabase,
  alice as person,
  bob,
  connect,
  oauthServer,
  openAccounts,
} from '../../../test/accounts-world.ts';
import { change } from '../../../test/audit-world.ts';
import { asOwner } from '../../../test/database.ts';
import { acme, globex, inSchema, tablesOf, wallsWorld } from '../../../test/walls/world.ts';
import type { Endpoint } from '../../platform/contract.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { verifyChain } from '../chain/verify.ts';
import { api } from '../contract.ts';
import { writeAudit } from '../store.ts';
import { places } from './places.ts';
import { personalRoutes } from './routes.ts';

const alice = acme.user;

async function call(database: Database, endpoint: Endpoint, email: string): Promise<unknown> {
  const routes = personalRoutes({ database, namedInFile: (who) => who === globex.user });
  const actor = { id: 'root@acme.com', requestId: 'r-9', clientIp: '192.0.2.9' };
  const answer = await routes
    .find((one) => one.endpoint === endpoint)
    ?.handle({ params: { email }, query: {}, body: undefined, actor });
  return answer instanceof Response ? answer.json() : answer;
}

/** Alice in every record that could name her. */
async function seen(db: Db): Promise<void> {
  const statements = [
    sql`update mcp_proxy.api_tokens set created_by = ${alice}`,
    sql`update mcp_proxy.credentials set updated_by = ${alice} where tenant_id is null`,
    sql`update mcp_proxy.group_credentials set updated_by = ${alice}`,
    sql`update mcp_proxy.user_credentials set updated_by = ${alice}`,
    sql`update mcp_proxy.oauth_clients set updated_by = ${alice}`,
    sql`update mcp_proxy.tool_pins set decided_by = ${alice}`,
    sql`insert into mcp_proxy.file_entries (record, id, hash) values ('user', ${alice}, 'h')`,
    sql`insert into mcp_proxy.api_analytics (id, timestamp, request_id, user_email, client_ip, user_agent, arguments, face, method, endpoint, outcome, status_code, response_time_ms, bytes_in, bytes_out)
      values (gen_random_uuid(), now(), 'r-1', ${alice}, '192.0.2.1', 'agent', '{"to":"x"}', 'stream', 'POST', '/mcp', 'ok', 200, 1, 1, 1)`,
  ];
  for (const statement of statements) await statement.execute(db);
  await writeAudit(db, change({ actor: alice, clientIp: '192.0.2.1' }));
  await writeAudit(
    db,
    change({ targetKind: 'user', targetId: alice, after: { displayName: 'Alice Liddell' } }),
  );
  await writeAudit(
    db,
    change({ after: { members: [alice, `x${alice}`, `${alice}.example`, alice.toUpperCase()] } }),
  );
  await writeAudit(db, change({ actor: `x${alice}` }));
}

/** What src/secrets/accounts/endings.ts does in the background. */
const tokensAreTakenBack = (db: Db) => sql`delete from mcp_proxy.account_endings`.execute(db);

/** Tables in which some text stands, whatever its case. */
async function tablesWith(db: Db, text: string): Promise<string[]> {
  return asOwner(db, async (owner) => {
    const found: string[] = [];
    for (const name of await tablesOf(owner)) {
      const query: RawBuilder<unknown> = sql`select 1 from ${inSchema(name)} t where t::text ~* ${`(?<![a-z])${text.replaceAll('.', '\\.')}(?!\\.)`} limit 1`;
      if ((await query.execute(owner)).rows.length > 0) found.push(name);
    }
    return found;
  });
}

describe('erasing a person', () => {
  test('leaves the name nowhere in the database, and the chain in order', async () => {
    const { database } = await wallsWorld();
    const { db } = database;
    await asOwner(db, seen);
    const answer = (await call(database, api.erasePerson, alice)) as { pseudonym: string; tables: object };
    expect(answer.pseudonym).toMatch(/^erased-[0-9a-f]{16}$/);
    const erased = places.filter(({ is }) => is !== 'ending').map(({ table }) => table);
    expect(Object.keys(answer.tables).sort()).toEqual(
      [...new Set(erased), 'api_analytics', 'audit_log'].sort(),
    );
    expect(await tablesWith(db, alice)).toEqual(['account_endings']);
    await tokensAreTakenBack(db);
    expect(await tablesWith(db, alice)).toEqual([]);
    expect(await tablesWith(db, 'Liddell')).toEqual([]);
    expect(await verifyChain(db)).toMatchObject({ ok: true, erased: 3 });
  });

  test('takes address, agent and arguments of the requests, and keeps their counts', async () => {
    const { database } = await wallsWorld();
    await asOwner(database.db, seen);
    const { pseudonym } = (await call(database, api.erasePerson, alice)) as { pseudonym: string };
    const { rows } = await sql`
      select request_id, client_ip, user_agent, arguments, outcome from mcp_proxy.api_analytics
      where user_email = ${pseudonym}`.execute(database.db);
    expect(rows).toEqual([
      { request_id: pseudonym, client_ip: null, user_agent: null, arguments: null, outcome: 'ok' },
    ]);
  });

  test('takes the tokens of their accounts back where they came from, and those of nobody else', async () => {
    const database = await accountsDatabase();
    const { db } = database;
    const { accounts } = await openAccounts(database, { endingsEveryMs: 50 });
    const server = await oauthServer();
    const tokens = new Map<string, string>();
    for (const user of [person, bob]) {
      await connect({ accounts }, server, { user });
      const place = { tenant: 'acme', user, server: 'notes', resource: server.url };
      tokens.set(user, await accounts.find(place)!.changing!.current());
    }
    const answer = await call(database, api.erasePerson, person);
    expect(answer).toMatchObject({ tables: { user_accounts: 1, users: 1 } });
    await expect.poll(() => server.whoHas(tokens.get(person) ?? '')).toBeUndefined();
    await expect.poll(() => tablesWith(db, person)).toEqual([]);
    expect(await server.whoHas(tokens.get(bob) ?? '')).toBe(bob);
    expect(await verifyChain(db)).toMatchObject({ ok: true });
  });

  test('leaves others with a similar address alone', async () => {
    const { database } = await wallsWorld();
    await asOwner(database.db, seen);
    await call(database, api.erasePerson, alice);
    const { rows } = await sql<{ actor: string }>`
      select actor, after from mcp_proxy.audit_log where actor = ${`x${alice}`} or after ? 'members' order by id`.execute(
      database.db,
    );
    const erased = expect.stringMatching(/^erased-/);
    expect(rows).toEqual([
      { actor: erased, after: { members: [erased, `x${alice}`, `${alice}.example`, erased] } },
      { actor: `x${alice}`, after: expect.anything() },
    ]);
  });

  test('can be run again, and does nothing then', async () => {
    const { database } = await wallsWorld();
    await asOwner(database.db, seen);
    await call(database, api.erasePerson, alice);
    const { records } = await verifyChain(database.db);
    expect(await call(database, api.erasePerson, alice)).toEqual({
      ...{ pseudonym: null, tables: {} },
      remains: [expect.stringMatching(/^account_endings, by itself/)],
    });
    await tokensAreTakenBack(database.db);
    expect(await call(database, api.erasePerson, alice)).toMatchObject({ pseudonym: null, remains: [] });
    expect(await verifyChain(database.db)).toMatchObject({ ok: true, records });
  });

  test('an administrator can erase themselves', async () => {
    const { database } = await wallsWorld();
    await writeAudit(database.db, change({ actor: 'root@acme.com', clientIp: '192.0.2.9' }));
    const answer = await call(database, api.erasePerson, 'root@acme.com');
    expect(answer).toMatchObject({ tables: { audit_log: 1 } });
    expect(await tablesWith(database.db, 'root@acme.com')).toEqual([]);
    expect(await verifyChain(database.db)).toMatchObject({ ok: true, erased: 1 });
  });

  test('says where the person is still named', async () => {
    const { database } = await wallsWorld();
    expect(await call(database, api.erasePerson, globex.user)).toMatchObject({
      remains: expect.arrayContaining(['the config file, under users']),
    });
  });

  test('a change of an erased record is still found', async () => {
    const { database } = await wallsWorld();
    await asOwner(database.db, seen);
    await call(database, api.erasePerson, alice);
    await asOwner(database.db, (owner) =>
      owner.transaction().execute(async (trx) => {
        await sql`set local session_replication_role = replica`.execute(trx);
        await sql`update mcp_proxy.audit_log set target_id = 'other' where client_ip is null and actor like 'erased-%' and target_id = 'MCP-GitHub'`.execute(
          trx,
        );
      }),
    );
    expect((await verifyChain(database.db)).problem).toMatchObject({ kind: 'changed' });
  });

  test.each(['*@acme.com', 'service:all', 'acme', '%@acme.com', '@x.y'])('%s is no person', async (email) => {
    const { database } = await wallsWorld();
    await expect(call(database, api.erasePerson, email)).rejects.toMatchObject({ code: 'not_a_person' });
    await expect(call(database, api.personalData, email)).rejects.toMatchObject({ code: 'not_a_person' });
  });
});

test('a person gets everything that is stored, and nothing that opens anything', async () => {
  const { database } = await wallsWorld();
  await asOwner(database.db, seen);
  const { tables } = (await call(database, api.personalData, alice)) as { tables: Record<string, object[]> };
  const names = [...new Set(places.map(({ table }) => table)), 'api_analytics', 'audit_log'].sort();
  expect(Object.keys(tables).sort()).toEqual(names);
  for (const name of names) expect([name, tables[name]?.length]).not.toEqual([name, 0]);
  const text = JSON.stringify(tables);
  expect(text).not.toContain('"sealed"');
  expect(text).not.toContain('"hash"');
  expect(text).not.toContain('v2.0a1b2c3d');
  // What others have is not theirs.
  expect(text).not.toContain(globex.user);
});

test('the export of a person is itself a record', async () => {
  const { database } = await wallsWorld();
  await call(database, api.personalData, alice);
  const { rows } = await sql`
    select actor, target_id from mcp_proxy.audit_log where action = 'user.export'`.execute(database.db);
  expect(rows).toEqual([{ actor: 'root@acme.com', target_id: alice }]);
});

test('every column that could name a person is known to the erasure, or known to name none', async () => {
  const { database } = await wallsWorld();
  const { rows } = await asOwner(database.db, (owner) =>
    sql<{ place: string }>`
      select c.table_name || '.' || c.column_name as place
      from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
      where table_schema = 'mcp_proxy' and t.table_type = 'BASE TABLE' and c.data_type = 'text'
        and c.column_name ~ '(email|user|actor|_by|person|owner|member|principal|subject|holder)'
        and c.table_name not like 'api_analytics%'
      order by 1`.execute(owner),
  );
  const known = new Set(places.map(({ table, column }) => `${table}.${column}`));
  const others = [
    'audit_log.actor', // Erased by erase_from_audit.
    ...['browser_sessions.user_agent', 'user_identities.subject'], // Go with their rows.
    ...['groups.managed_by', 'servers.managed_by', 'tenants.managed_by', 'api_tokens.may_forward_users'], // Words of ours.
    ...['jobs.holder', 'master_keys.lease_by', 'user_accounts.lease_by'], // Processes.
  ];
  expect(
    rows.map(({ place }) => place).filter((place) => !known.has(place) && !others.includes(place)),
  ).toEqual([]);
});

test('docs/audit.md lists every place', () => {
  const page = readFileSync(new URL('../../../docs/audit.md', import.meta.url), 'utf8');
  for (const { table, column } of places) expect(page).toContain(`| \`${table}.${column}\` |`);
});
