// Processes of one installation as far as master keys go: a ring each, one database, messages between them.
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { onTestFinished } from 'vitest';
import { createBus } from '../src/platform/bus/bus.ts';
import type { OpenTransport } from '../src/platform/bus/contract.ts';
import { memoryTransport } from '../src/platform/bus/memory.ts';
import { systemClock } from '../src/platform/clock.ts';
import type { Endpoint } from '../src/platform/contract.ts';
import { type Database, type Db, watchChanges } from '../src/platform/db/index.ts';
import { createLog } from '../src/platform/log.ts';
import { createSealer } from '../src/platform/sealer.ts';
import { type Binding, groupOwner, sharedOwner, tenantOwner, userOwner } from '../src/secrets/binding.ts';
import { MasterKey } from '../src/secrets/master-keys/master-key.ts';
import { loadKeyRing } from '../src/secrets/master-keys/master-key-ring.ts';
import { openMasterKeys } from '../src/secrets/rotation/open-master-keys.ts';
import { openRotation, type RotationPace } from '../src/secrets/rotation/open-rotation.ts';
import { masterKeyRoutes } from '../src/secrets/rotation/routes.ts';
import { testDatabase } from './database.ts';

const operator = { id: 'root@acme.com', requestId: 'r-1', clientIp: '::1' };

/** An entry for the ring, and the id of its key. */
export function newEntry(): { readonly text: string; readonly id: string } {
  const bytes = randomBytes(32);
  return { text: bytes.toString('base64'), id: new MasterKey(bytes).id };
}

/** A database with people, tenants and servers, and processes on it, which end with the test. */
export async function masterKeysWorld() {
  const database = await testDatabase();
  await people(database.db);
  const transport = memoryTransport();
  const running: { close(): Promise<void> }[] = [];
  onTestFinished(async () => {
    for (const one of running.splice(0)) await one.close();
  });
  return {
    db: database.db,
    /** A process with these keys in its environment, or those of its data directory or of a file. */
    async start(where: Where, pace: RotationPace = {}) {
      const one = await startProcess(database, where, { transport, pace: { patienceMs: 100, ...pace } });
      running.push(one);
      return one;
    },
  };
}

type Where = readonly string[] | { readonly dataDir: string } | { readonly file: string };

async function startProcess(
  database: Database,
  where: Where,
  { transport, pace }: { transport: OpenTransport; pace: RotationPace },
) {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  const base = { db: database.db, log, clock: systemClock };
  const nothing = { value: undefined, file: undefined, dataDir: '', log };
  const given = 'length' in where ? { value: where.join(' ') } : where;
  const ring = await loadKeyRing({ ...nothing, ...given });
  const changes = await watchChanges(database, { ...base, pollMs: 100 });
  const master = await openMasterKeys({ ...base, changes, ring });
  const bus = await createBus({ open: transport, sealer: createSealer(master.stateKey, 'bus'), log });
  const rotation = openRotation({ ...base, keys: master.keys, bus, pace });
  let closed: Promise<void> | undefined;
  const close = async () => {
    await rotation.close();
    await bus.close();
    await master.close();
    await changes.close();
  };
  return {
    ...{ ...master, bus, rotation, lines },
    /** Calls an admin route the way the app does: input and output pass through the contract. */
    async ask<E extends Endpoint>(endpoint: E, o: { params?: object; body?: unknown } = {}) {
      const found = masterKeyRoutes(rotation).find((one) => one.endpoint === endpoint);
      const answer = await found?.handle({
        params: endpoint.params.parse(o.params ?? {}),
        query: {},
        body: endpoint.body.parse(o.body),
        actor: operator,
      });
      // The schema that parsed it is the one that the type comes from.
      return endpoint.output.parse(answer) as ReturnType<E['output']['parse']>;
    },
    close: () => (closed ??= close()),
  };
}

export const acmes: Binding = {
  ...{ tenant: 'acme', owner: tenantOwner('acme'), server: 'github', name: 'default' },
};
export const shared: Binding = { ...acmes, tenant: null, owner: sharedOwner };
export const groups: Binding = { ...acmes, owner: groupOwner('Ops') };
export const alices: Binding = { ...acmes, owner: userOwner('alice@acme.com') };

async function people(db: Db): Promise<void> {
  for (const statement of [
    sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`,
    sql`insert into mcp_proxy.servers (id, definition) values ('github', '{}'), ('files', '{}')`,
    sql`insert into mcp_proxy.groups (name, display_name) values ('Ops', '')`,
    sql`insert into mcp_proxy.users (email) values ('alice@acme.com'), ('bob@acme.com')`,
  ])
    await statement.execute(db);
}

/** A credential where its level is kept; what was there is replaced. */
export async function store(db: Db, sealed: string, to: Binding): Promise<void> {
  const { tenant, owner, server, name } = to;
  if (owner.level === 'user')
    await sql`insert into mcp_proxy.user_credentials (tenant_id, user_email, server_id, name, sealed, updated_by)
      values (${tenant}, ${owner.id}, ${server}, ${name}, ${sealed}, 'test')
      on conflict (tenant_id, user_email, server_id, name) do update set sealed = excluded.sealed`.execute(
      db,
    );
  else if (owner.level === 'group')
    await sql`insert into mcp_proxy.group_credentials (tenant_id, group_name, server_id, name, sealed, updated_by)
      values (${tenant}, ${owner.id}, ${server}, ${name}, ${sealed}, 'test')
      on conflict (tenant_id, group_name, server_id, name) do update set sealed = excluded.sealed`.execute(
      db,
    );
  else
    await sql`insert into mcp_proxy.credentials (tenant_id, server_id, name, sealed, updated_by)
      values (${tenant}, ${server}, ${name}, ${sealed}, 'test')
      on conflict (tenant_id, server_id, name) do update set sealed = excluded.sealed`.execute(db);
}

const tables = {
  credentials: 'id',
  group_credentials: 'id',
  user_credentials: 'id',
  oauth_clients: 'id',
  user_accounts: 'id',
  oauth_attempts: 'id',
  installation_secrets: 'name',
};

/** Every sealed text that the database holds, by table and row. */
export async function sealedTexts(db: Db): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [table, id] of Object.entries(tables)) {
    const { rows } = await sql<{ id: string; sealed: string }>`
      select ${sql.ref(id)}::text as id, sealed from ${sql.table(`mcp_proxy.${table}`)}
      where sealed is not null`.execute(db);
    for (const row of rows) found.set(`${table} ${row.id}`, row.sealed);
  }
  return found;
}

/** How many texts there are in each form under each key. */
export async function textsByKey(db: Db): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const text of (await sealedTexts(db)).values()) {
    const key = text.split('.').slice(0, 2).join('.');
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}
