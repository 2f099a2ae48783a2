import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { ChainRow, Head } from './chain-source.ts';

/** The places after `after`, in order. */
export async function readChain(db: Db, after: number, limit: number): Promise<ChainRow[]> {
  const { rows } = await sql<ChainRow>`
    select c.seq::double precision as seq, c.audit_id::text as record, a.id::text as found,
      c.salts::text[] as salts, array(select encode(x, 'hex') from unnest(c.commitments) x) as commitments,
      c.erasures, encode(c.digest, 'hex') as digest, encode(c.previous, 'hex') as previous,
      encode(c.hash, 'hex') as hash, a.id::text as id,
      to_char(a.timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as timestamp,
      a.action, a.target_kind, a.tenant_id, a.actor, a.target_id, a.before::text as before, a.after::text as after,
      a.request_id, a.client_ip
    from mcp_proxy.audit_chain c left join mcp_proxy.audit_log a on a.id = c.audit_id
    where c.seq > ${after} order by c.seq limit ${limit}`.execute(db);
  return rows;
}

/** The last place of the chain; undefined while there is none. */
export async function chainHead(db: Db): Promise<Head | undefined> {
  const { rows } = await sql<Head>`
    select seq::double precision as seq, encode(hash, 'hex') as hash from mcp_proxy.audit_chain
    order by seq desc limit 1`.execute(db);
  return rows[0];
}

/** The hash at each of these places that is there. */
export async function hashesAt(db: Db, places: readonly number[]): Promise<Map<number, string>> {
  const { rows } = await sql<Head>`
    select seq::double precision as seq, encode(hash, 'hex') as hash from mcp_proxy.audit_chain
    where seq = any(${places}::bigint[])`.execute(db);
  return new Map(rows.map(({ seq, hash }) => [seq, hash]));
}

/** Is there a place, wherever, with this hash? */
export async function hasHash(db: Db, hash: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from mcp_proxy.audit_chain where hash = decode(${hash}, 'hex') limit 1`.execute(db);
  return rows.length > 0;
}

/** The first record that has no place in the chain: it was added without it, or its place was deleted. */
export async function findUnchained(db: Db): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    select a.id::text as id from mcp_proxy.audit_log a
    where not exists (select from mcp_proxy.audit_chain c where c.audit_id = a.id)
    order by a.id limit 1`.execute(db);
  return rows[0]?.id;
}
