// The routes of keys behind the real admin app and a real database: requests in, answers out.
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { createAdminApp } from '../src/admin/index.ts';
import type { Route } from '../src/platform/contract.ts';
import { AppError } from '../src/platform/errors.ts';
import { createLog } from '../src/platform/log.ts';
import type { EnvPlace, Needs, ServerNeeds } from '../src/secrets/needs.ts';
import { MasterKey } from '../src/secrets/master-keys/master-key.ts';
import { secretRoutes } from '../src/secrets/keys/routes.ts';
import { createSecretBox } from '../src/secrets/sealing/secret-box.ts';
import { loadSealed } from '../src/secrets/vault/vault-store.ts';
import { caller } from './access-world.ts';
import { testDatabase } from './database.ts';
import type { Json } from './e2e/program.ts';

/** What servers ask for: `github` one key, `crm` two, `files` none. */
const servers: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  github: { default: ['header Authorization'] },
  crm: { user: ['header Authorization'], password: ['header Authorization', 'url'] },
  files: {},
};

export async function keysWorld(o: { envPlaces?: readonly EnvPlace[]; moreRoutes?: readonly Route[] } = {}) {
  const database = await testDatabase();
  const { db } = database;
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
    db,
  );
  for (const id of Object.keys(servers))
    await sql`insert into mcp_proxy.servers (id, definition) values (${id}, '{}')`.execute(db);
  await sql`
    insert into mcp_proxy.groups (name, display_name, tenant_id)
    values ('Developers', '', null), ('/dept/Acme', '', 'acme')`.execute(db);
  await sql`
    insert into mcp_proxy.users (email) values ('alice@acme.com'), ('service:bot'), ('*@acme.com')`.execute(
    db,
  );
  const box = createSecretBox(new MasterKey(randomBytes(32)));
  let changes = 0;
  const app = createAdminApp({
    routes: [
      ...secretRoutes({
        ...{ database, box, needs: needsOf(o.envPlaces ?? []) },
        changed: async () => {
          changes += 1;
        },
      }),
      ...(o.moreRoutes ?? []),
    ],
    authenticate: async (request) => {
      const token = request.headers.get('authorization');
      if (token === null) throw new AppError('unauthenticated', 401, 'Who are you?');
      return { principal: caller('admin@acme.com'), isAdmin: token === 'Bearer admin' };
    },
    ...{ log: createLog('silent'), version: '0', publicUrl: 'http://localhost' },
  });
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    token: string | null = 'admin',
  ): Promise<{ status: number; body: Json }> => {
    const request = new Request(`http://localhost/mcp-admin/api${path}`, {
      method,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const response = await app.fetch(request, { clientIp: '::1', requestId: 'r-1' });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };
  /** Everything that is stored, opened: `level owner tenant server name` to its value. */
  const stored = async (): Promise<Record<string, string>> => {
    const { rows } = await loadSealed(db, null);
    const place = ({ owner, tenant, server, name }: (typeof rows)[number]) =>
      [owner.level, owner.id ?? '-', tenant ?? '-', server, name].join(' ');
    return Object.fromEntries(rows.map((row) => [place(row), box.open(row.sealed, row)]));
  };
  const audits = async () => {
    const { rows } = await sql<Json>`
      select actor, action, target_id, tenant_id, before, after from mcp_proxy.audit_log order by id`.execute(
      db,
    );
    return rows;
  };
  return { database, db, box, app, ask, stored, audits, changes: () => changes };
}

function needsOf(envPlaces: readonly EnvPlace[]): Needs {
  const all = (tenant: string | null): ServerNeeds[] =>
    Object.entries(servers).map(([server, names]) => ({
      ...{
        server,
        displayName: server.toUpperCase(),
        enabled: true,
        granted: server !== 'crm',
        optional: [],
      },
      // The address of acme asks for one more.
      names: new Map([
        ...Object.entries(names),
        ...(tenant === 'acme' && server === 'files' ? [['path', ['url']] as const] : []),
      ]),
    }));
  return {
    forTenant: all,
    namesOf: (server) => {
      const found = servers[server];
      return found && [...Object.keys(found), ...(server === 'files' ? ['path'] : [])];
    },
    envPlaces: () => envPlaces,
  };
}
