// Ways into one pool, by whose rows a statement sees. Row-level security (migrations/0009) decides by the role and by
// `toolgate.scope` of the connection; here is where both are set.
import { type RawBuilder, sql } from 'kysely';
import type pg from 'pg';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Db, Walls } from './database.ts';
import { lockMigrations } from './migrate.ts';
import { isPooledByTransaction, kyselyOn } from './pool.ts';

/** The scope of whoever runs the installation. */
const everything = '*';
/** The scope of nobody, for what cannot be a tenant's id: above all `*`. */
const nothing = '';
const tenantId = /^[a-z0-9][a-z0-9-]*$/;

/**
 * What a connection stands in; `none` is whoever signed in. The walls do not hold them where they own the tables, as who
 * migrates does; anybody else would see nothing with the scope of nobody.
 */
interface Standing {
  readonly role: string;
  readonly scope: string;
}
const asSignedIn: Standing = { role: 'none', scope: nothing };

export interface Handles {
  /** As whoever signed in: migrations and upkeep. */
  readonly owner: Db;
  readonly db: Db;
  forTenant(tenant: string): Db;
  readonly walls: Walls;
}

/** `isPooled`: whether connections may change hands with their role and scope. */
export function createHandles(pool: pg.Pool, log: Log, isPooled = isPooledByTransaction): Handles {
  let role: string | null = null;
  let missing: string | null = 'they were not raised';
  const enter = rememberStanding();
  const within = (scope: string): Db =>
    kyselyOn(pool, (client) => enter(client, role === null ? asSignedIn : { role, scope }));
  const owner = kyselyOn(pool, (client) => enter(client, asSignedIn));
  const raise = async () => {
    const found = (await isPooled(pool)) ? { missing: pooledByTransaction } : await prepareRole(owner);
    if ('missing' in found) {
      missing = found.missing;
      log.warn({ reason: missing }, 'tenants are kept apart by the program alone, not by the database');
      return;
    }
    role = found.role;
    missing = null;
  };
  return {
    owner,
    db: within(everything),
    forTenant: (tenant) => within(tenantId.test(tenant) ? tenant : nothing),
    walls: { raise, missing: () => missing },
  };
}

/**
 * Brings a connection into a standing, and remembers it, so that the next statement in the same one pays no round
 * trip. Rejects when that fails: the connection may then be in any, and must not be used.
 */
function rememberStanding(): (client: pg.PoolClient, wanted: Standing) => Promise<void> {
  const held = new WeakMap<pg.PoolClient, Standing | 'unknown'>();
  return async (client, wanted) => {
    const now = held.get(client) ?? asSignedIn;
    if (now !== 'unknown' && now.role === wanted.role && now.scope === wanted.scope) return;
    held.set(client, 'unknown');
    await client.query("select set_config('role', $1, false), set_config('toolgate.scope', $2, false)", [
      wanted.role,
      wanted.scope,
    ]);
    held.set(client, wanted);
  };
}

/** The role to work under, made if need be; or why there is none. */
async function prepareRole(owner: Db): Promise<{ role: string } | { missing: string }> {
  try {
    const [found] = await rowsOf(owner, sql<{ role: string }>`select mcp_proxy.app_role() as role`);
    const role = found?.role ?? '';
    if ((await problemOf(owner, role)) === null) return { role };
    const refusal = await makeRole(owner);
    const problem = await problemOf(owner, role);
    return problem === null ? { role } : { missing: refusal ?? problem };
  } catch (error) {
    return { missing: wordsOf(error) };
  }
}

/** What the database says where it refuses. Anything else, such as a lost connection, is no reason to go without walls. */
function wordsOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!refusals.has(code)) throw error;
  return messageOf(error);
}

/** Not permitted; no such role; no such function, object or schema: the migrations are not applied; not grantable. */
const refusals: ReadonlySet<string> = new Set(['42501', '22023', '42883', '42704', '3F000', '0LP01']);

const pooledByTransaction =
  'a pooler in transaction mode stands before the database, which mixes up whose connection is in which scope; connect directly or in session mode';

async function makeRole(owner: Db): Promise<string | null> {
  try {
    await owner.transaction().execute(async (trx) => {
      await lockMigrations(trx);
      await sql`select mcp_proxy.make_app_role()`.execute(trx);
    });
    return null;
  } catch (error) {
    return wordsOf(error);
  }
}

/** Why the role is no wall, or cannot do the program's work; null when it is right. Tried, not looked up. */
async function problemOf(owner: Db, role: string): Promise<string | null> {
  try {
    return await owner.transaction().execute(async (trx) => {
      await sql`select set_config('role', ${role}, true), set_config('toolgate.scope', ${everything}, true)`.execute(
        trx,
      );
      const [found] = await rowsOf(trx, problem);
      return found?.problem ?? null;
    });
  } catch (error) {
    return wordsOf(error);
  }
}

const problem = sql<{ problem: string | null }>`
  select case
    when r.rolsuper or r.rolbypassrls then format('the role %s may pass row-level security', r.rolname)
    when exists (
      select from pg_class c where c.relnamespace = 'mcp_proxy'::regnamespace and pg_has_role(r.oid, c.relowner, 'usage')
    ) then format('the role %s owns tables, which row-level security then does not hold', r.rolname)
    when not has_schema_privilege('mcp_proxy', 'usage') or exists (
      select from pg_class c where c.relnamespace = 'mcp_proxy'::regnamespace and c.relkind in ('r', 'p')
        -- A partition is reached through the whole; only the one for the rest is named by itself.
        and not (c.relispartition and c.relname ~ '_[0-9]{8}$') and not has_table_privilege(c.oid, 'select')
    ) then format('the role %s may not read the tables', r.rolname)
  end as problem
  from pg_roles r where r.rolname = current_user`;

async function rowsOf<Row>(db: Db, query: RawBuilder<Row>): Promise<Row[]> {
  return (await query.execute(db)).rows;
}
