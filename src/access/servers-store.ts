// Every statement about servers, and how a stored one is shown: without header and environment values.
import { sql } from 'kysely';
import type { z } from 'zod';
import type { Page, PageQuery } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import {
  defaultExtensions,
  defaultMaxConnections,
  defaultMaxResultChars,
  defaultPinMode,
  type ServerDefinition,
  serverDefinition,
  serverOrigin,
  type serverView,
  type StoredOrigin,
} from './contract.ts';
import { iso } from './store-time.ts';
import { maskArgs, maskUrl } from './mask.ts';
import { contains, decodeCursor, pageOf } from './paging.ts';

export type ServerView = z.infer<typeof serverView>;

/** A stored server; `definition` is null when what is stored cannot be read. */
export interface StoredServer extends Pick<ServerView, 'id' | 'managedBy' | 'origin' | 'updatedAt'> {
  readonly definition: ServerDefinition | null;
}

interface Row extends Pick<ServerView, 'id' | 'managedBy' | 'updatedAt' | 'enabled'> {
  readonly definition: unknown;
  readonly origin: unknown;
}

const columns = sql`id, definition, enabled, managed_by as "managedBy", origin, ${iso('updated_at')} as "updatedAt"`;

/** Servers whose definition cannot be read are left out; the snapshot's problems name them. */
export async function listServers(db: Db, query: PageQuery): Promise<Page<ServerView>> {
  const after = decodeCursor(query.cursor);
  const search = contains(query.search);
  const { rows } = await sql<Row>`
    select ${columns} from mcp_proxy.servers
    where (${after}::text is null or id > ${after})
      and (${search}::text is null or id ilike ${search} or definition->>'displayName' ilike ${search}
           or definition->>'description' ilike ${search})
    order by id limit ${query.limit + 1}`.execute(db);
  const page = pageOf(
    rows,
    query.limit,
    (row) => row.id,
    (row) => viewOf(stored(row)),
  );
  return { ...page, items: page.items.filter((view) => view !== null) };
}

export async function findServer(db: Db, id: string): Promise<StoredServer | undefined> {
  const { rows } = await sql<Row>`select ${columns} from mcp_proxy.servers where id = ${id}`.execute(db);
  return rows[0] && stored(rows[0]);
}

/** False when there is one of that id already, which is left as it is. */
export async function insertServer(
  db: Db,
  id: string,
  definition: ServerDefinition,
  origin: StoredOrigin | null = null,
): Promise<boolean> {
  const { rows } = await sql`
    insert into mcp_proxy.servers (id, definition, enabled, origin)
    values (${id}, ${JSON.stringify(definition)}::jsonb, ${definition.enabled},
            ${origin && JSON.stringify(origin)}::jsonb)
    on conflict (id) do nothing returning id`.execute(db);
  return rows.length > 0;
}

export async function updateServer(
  db: Db,
  id: string,
  server: { definition: ServerDefinition; managedBy: ServerView['managedBy'] },
): Promise<void> {
  await sql`
    update mcp_proxy.servers
    set definition = ${JSON.stringify(server.definition)}::jsonb, enabled = ${server.definition.enabled},
        managed_by = ${server.managedBy}, updated_at = now()
    where id = ${id}`.execute(db);
}

/** Made anew from the catalog: its grants and keys stay. */
export async function reinstallServer(
  db: Db,
  id: string,
  server: { definition: ServerDefinition; origin: StoredOrigin },
): Promise<void> {
  await sql`
    update mcp_proxy.servers
    set definition = ${JSON.stringify(server.definition)}::jsonb, enabled = ${server.definition.enabled},
        origin = ${JSON.stringify(server.origin)}::jsonb, updated_at = now()
    where id = ${id}`.execute(db);
}

/** Every server that was installed from the catalog, by id. */
export async function listInstalled(db: Db): Promise<ServerView[]> {
  const { rows } = await sql<Row>`
    select ${columns} from mcp_proxy.servers where origin is not null order by id`.execute(db);
  const views = rows.map((row) => viewOf(stored(row)));
  return views.filter((view) => view !== null).filter(({ origin }) => origin !== null);
}

/** With its grants, endpoints and keys. */
export async function deleteServer(db: Db, id: string): Promise<void> {
  await sql`delete from mcp_proxy.servers where id = ${id}`.execute(db);
}

/** As the admin API shows it and the audit log keeps it; null when the definition cannot be read. */
export function viewOf({ id, definition, managedBy, origin, updatedAt }: StoredServer): ServerView | null {
  if (definition === null) return null;
  const stdio = definition.type === 'stdio';
  return {
    id,
    type: definition.type,
    displayName: definition.displayName ?? id,
    description: definition.description ?? '',
    enabled: definition.enabled,
    command: stdio ? definition.command : null,
    args: stdio ? maskArgs(definition.args) : [],
    url: stdio ? null : maskUrl(definition.url),
    account: (!stdio && definition.account) || null,
    headerNames: stdio ? [] : Object.keys(definition.headers),
    envNames: stdio ? Object.keys(definition.env) : [],
    tools: definition.tools ?? null,
    toolOverrides: definition.toolOverrides ?? {},
    isolation: definition.isolation ?? null,
    timeoutMs: definition.timeoutMs,
    maxResponseBytes: definition.maxResponseBytes,
    recordArguments: definition.recordArguments,
    pin: definition.pin ?? defaultPinMode,
    maxResultChars: definition.maxResultChars ?? defaultMaxResultChars,
    extensions: definition.extensions ?? defaultExtensions,
    variables: definition.variables ?? {},
    maxConnections: definition.maxConnections ?? defaultMaxConnections,
    managedBy,
    origin,
    updatedAt,
  };
}

function stored({ enabled, definition, origin, ...rest }: Row): StoredServer {
  const parsed = serverDefinition.safeParse(definition);
  return {
    ...rest,
    definition: parsed.success ? { ...parsed.data, enabled } : null,
    origin: serverOrigin.safeParse(origin).data ?? null,
  };
}
