import { type RawBuilder, sql } from 'kysely';
import type { z } from 'zod';
import type { Db } from '../platform/db/index.ts';
import type { pinQuery, ToolDefinition } from './contract.ts';
import type { Cursor } from './cursor.ts';

// All of it is for operators: a pin says what a server offers, whoever's key it is reached with.

/** Where a server's tools are seen. */
export interface Place {
  readonly server: string;
  /** Tells the places of one server apart. */
  readonly key: string;
  /** The same for people: URL or command, secrets blanked. */
  readonly reachedAt: string;
}

export interface NewPin {
  readonly hash: string;
  readonly tool: string;
  readonly definition: ToolDefinition;
  readonly flags: readonly string[];
}

export interface PinRow {
  readonly server: string;
  readonly place: string;
  readonly tool: string;
  readonly hash: string;
  readonly status: 'accepted' | 'pending';
  readonly isMissing: boolean;
}

/** Every pin without its texts, for the memory of the data plane. */
export async function loadPins(db: Db): Promise<PinRow[]> {
  const { rows } = await sql<PinRow>`
    select server_id as server, place, tool, hash, status, missing_since is not null as "isMissing"
    from mcp_proxy.tool_pins`.execute(db);
  return rows;
}

/** Every place that was ever seen, those without tools among them. */
export async function loadPlaces(db: Db): Promise<{ server: string; place: string }[]> {
  const { rows } = await sql<{ server: string; place: string }>`
    select server_id as server, place from mcp_proxy.pin_places`.execute(db);
  return rows;
}

/** In a transaction the server then stays until its end. */
export async function serverExists(db: Db, server: string): Promise<boolean> {
  const { rows } = await sql`select 1 from mcp_proxy.servers where id = ${server} for key share`.execute(db);
  return rows.length > 0;
}

/** True for the one transaction that saw the place first; others wait here until that one has ended. */
export async function claimPlace(db: Db, place: Place): Promise<boolean> {
  const { rows } = await sql`
    insert into mcp_proxy.pin_places (server_id, place, reached_at)
    values (${place.server}, ${place.key}, ${place.reachedAt})
    on conflict (server_id, place) do nothing returning 1`.execute(db);
  // One writer at a time for each place, so that its bounds hold.
  await sql`select 1 from mcp_proxy.pin_places where server_id = ${place.server} and place = ${place.key} for update`.execute(
    db,
  );
  return rows.length > 0;
}

/** Adds what is not there yet; answers what it added. `acceptedBy` null: they wait for a decision. */
export async function insertPins(
  db: Db,
  place: Place,
  pins: readonly NewPin[],
  acceptedBy: string | null,
): Promise<{ tool: string; hash: string }[]> {
  const { rows } = await sql<{ tool: string; hash: string }>`
    insert into mcp_proxy.tool_pins (server_id, place, tool, hash, definition, flags, status, decided_at, decided_by)
    select ${place.server}, ${place.key}, tool, hash, definition,
           array(select jsonb_array_elements_text(flags)), ${acceptedBy === null ? 'pending' : 'accepted'},
           case when ${acceptedBy}::text is null then null else now() end, ${acceptedBy}
    from jsonb_to_recordset(${JSON.stringify(pins)}::jsonb) as pin(tool text, hash text, definition jsonb, flags jsonb)
    on conflict (server_id, place, hash) do nothing
    returning tool, hash`.execute(db);
  return rows;
}

/** Keeps the newest of what waits for one place: a server that changes without end must not fill the database. */
export async function prunePending(
  db: Db,
  place: Place,
  most: { readonly perTool: number; readonly perPlace: number },
): Promise<void> {
  await sql`
    delete from mcp_proxy.tool_pins where id in (
      select id from (
        select id, row_number() over (partition by tool order by first_seen_at desc, id) as of_tool,
               row_number() over (order by first_seen_at desc, id) as of_place
        from mcp_proxy.tool_pins
        where server_id = ${place.server} and place = ${place.key} and status = 'pending'
      ) as numbered
      where of_tool > ${most.perTool} or of_place > ${most.perPlace}
    )`.execute(db);
}

export async function countPending(db: Db, place: Place): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from mcp_proxy.tool_pins
    where server_id = ${place.server} and place = ${place.key} and status = 'pending'`.execute(db);
  return rows[0]?.count ?? 0;
}

/** Notes that definitions are no longer listed; answers the accepted ones’ tools. */
export async function noteMissing(db: Db, place: Place, hashes: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ tool: string; status: PinRow['status'] }>`
    update mcp_proxy.tool_pins set missing_since = now()
    where server_id = ${place.server} and place = ${place.key} and hash = any(${hashes}::text[])
      and missing_since is null
    returning tool, status`.execute(db);
  return [...new Set(rows.flatMap(({ tool, status: state }) => (state === 'accepted' ? [tool] : [])))];
}

export async function noteBack(db: Db, place: Place, hashes: readonly string[]): Promise<void> {
  await sql`
    update mcp_proxy.tool_pins set missing_since = null
    where server_id = ${place.server} and place = ${place.key} and hash = any(${hashes}::text[])
      and missing_since is not null`.execute(db);
}

export interface StoredPin {
  readonly id: string;
  readonly server: string;
  readonly reachedAt: string;
  readonly tool: string;
  readonly hash: string;
  readonly status: 'accepted' | 'pending' | 'removed';
  readonly definition: ToolDefinition;
  /** Accepted last for this tool at this place, before this one. */
  readonly before: ToolDefinition | null;
  readonly flags: string[];
  readonly firstSeenAt: string;
  readonly decidedAt: string | null;
  readonly decidedBy: string | null;
  readonly missingSince: string | null;
}

const status = sql`case when pin.missing_since is not null then 'removed' else pin.status end`;

/** Newest first, one more than the limit. */
export async function listPins(
  db: Db,
  query: z.infer<typeof pinQuery>,
  after: Cursor | null,
): Promise<StoredPin[]> {
  const search = contains(query.search);
  const { rows } = await sql<StoredPin>`
    select ${pinColumns}
    from mcp_proxy.tool_pins pin join mcp_proxy.pin_places seen using (server_id, place)
    where (${query.server ?? null}::text is null or pin.server_id = ${query.server ?? null})
      and (${query.status ?? null}::text is null or ${status} = ${query.status ?? null})
      and (${search}::text is null or pin.tool ilike ${search} or pin.server_id ilike ${search})
      and (${after?.at ?? null}::text is null
           or (pin.first_seen_at, pin.id) < (${after?.at ?? null}::timestamptz, ${after?.id ?? null}::uuid))
    order by pin.first_seen_at desc, pin.id desc limit ${query.limit + 1}`.execute(db);
  return rows;
}

export async function findPin(db: Db, id: string): Promise<StoredPin | undefined> {
  const { rows } = await sql<StoredPin>`
    select ${pinColumns}
    from mcp_proxy.tool_pins pin join mcp_proxy.pin_places seen using (server_id, place)
    where pin.id = ${id}`.execute(db);
  return rows[0];
}

/** Ids of what waits for a server, in order; in a transaction they then stay as they are until its end. */
export async function pendingIds(db: Db, server: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id::text as id from mcp_proxy.tool_pins pin
    where server_id = ${server} and ${status} = 'pending' order by id for update`.execute(db);
  return rows.map(({ id }) => id);
}

/** Accepts those that wait; answers which. */
export async function acceptPins(
  db: Db,
  ids: readonly string[],
  by: string,
): Promise<{ id: string; server: string; tool: string; hash: string }[]> {
  const { rows } = await sql<{ id: string; server: string; tool: string; hash: string }>`
    update mcp_proxy.tool_pins set status = 'accepted', decided_at = now(), decided_by = ${by}
    where id = any(${ids}::uuid[]) and status = 'pending'
    returning id::text as id, server_id as server, tool, hash`.execute(db);
  return rows;
}

const pinColumns = sql`
  pin.id::text as id, pin.server_id as server, seen.reached_at as "reachedAt", pin.tool, pin.hash, ${status} as status,
  pin.definition, pin.flags, ${exact('pin.first_seen_at')} as "firstSeenAt", ${exact('pin.decided_at')} as "decidedAt",
  pin.decided_by as "decidedBy", ${exact('pin.missing_since')} as "missingSince",
  (select other.definition from mcp_proxy.tool_pins other
   where other.server_id = pin.server_id and other.place = pin.place and other.tool = pin.tool
     and other.status = 'accepted' and other.id <> pin.id
     and (pin.decided_at is null or other.decided_at < pin.decided_at)
   order by other.decided_at desc limit 1) as before`;

/** A LIKE pattern in which `%`, `_` and `\\` mean themselves; null matches everything. */
function contains(search: string | undefined): string | null {
  const text = search?.toWellFormed().replaceAll('\u0000', '');
  return text ? `%${text.replaceAll(/[\\%_]/g, '\\$&')}%` : null;
}

/** With microseconds, which a Date loses: the cursor compares this very text with the column. */
function exact(column: string): RawBuilder<string> {
  return sql<string>`to_char(${sql.ref(column)} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
