// Reads everything that the snapshot is made of: one set query per table, all of one moment.
import { sql } from 'kysely';
import type { Db } from '../platform/db/index.ts';

export interface SnapshotRows {
  readonly servers: readonly {
    id: string;
    definition: unknown;
    enabled: boolean;
    managed_by: string;
    updated_at: Date;
    origin?: unknown;
  }[];
  readonly tenants: readonly {
    id: string;
    display_name: string;
    email_domains: string[];
    enabled: boolean;
    managed_by: string;
  }[];
  readonly groups: readonly {
    name: string;
    display_name: string;
    is_admin: boolean;
    tenant_id: string | null;
    external_ids: string[];
    tool_overrides: unknown;
  }[];
  readonly groupGrants: readonly { holder: string; server_id: string; tools: string[] }[];
  readonly users: readonly { email: string; disabled: boolean; default_tenant: string | null }[];
  readonly memberships: readonly {
    user_email: string;
    group_name: string;
    source: string;
    expires_at: Date | null;
  }[];
  readonly userGrants: readonly { holder: string; server_id: string; tools: string[] }[];
  readonly identities: readonly { issuer: string; subject: string; user_email: string }[];
  readonly endpoints: readonly {
    tenant_id: string;
    server_id: string;
    endpoint_url: string;
    source: string;
  }[];
  /** `server_id` is null for every server. */
  readonly variables: readonly {
    tenant_id: string;
    server_id: string | null;
    name: string;
    value: string;
    source: string;
  }[];
}

/** All rows as of one moment: without repeatable read, a grant could arrive whose group does not. */
export function snapshotRows(db: Db): Promise<SnapshotRows> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => ({
      servers: await rowsOf<SnapshotRows['servers'][number]>(
        sql`select id, definition, enabled, managed_by, updated_at, origin from mcp_proxy.servers order by id collate "C"`,
        trx,
      ),
      tenants: await rowsOf<SnapshotRows['tenants'][number]>(
        sql`select id, display_name, email_domains, enabled, managed_by from mcp_proxy.tenants order by id collate "C"`,
        trx,
      ),
      groups: await rowsOf<SnapshotRows['groups'][number]>(
        sql`select name, display_name, is_admin, tenant_id, external_ids, tool_overrides from mcp_proxy.groups order by name collate "C"`,
        trx,
      ),
      groupGrants: await rowsOf<SnapshotRows['groupGrants'][number]>(
        sql`select group_name as holder, server_id, array_remove(tools, null) as tools from mcp_proxy.group_grants`,
        trx,
      ),
      users: await rowsOf<SnapshotRows['users'][number]>(
        sql`select email, disabled, default_tenant from mcp_proxy.users`,
        trx,
      ),
      memberships: await rowsOf<SnapshotRows['memberships'][number]>(
        sql`select user_email, group_name, source, expires_at from mcp_proxy.memberships`,
        trx,
      ),
      userGrants: await rowsOf<SnapshotRows['userGrants'][number]>(
        sql`select user_email as holder, server_id, array_remove(tools, null) as tools from mcp_proxy.user_grants`,
        trx,
      ),
      identities: await rowsOf<SnapshotRows['identities'][number]>(
        sql`select issuer, subject, user_email from mcp_proxy.user_identities`,
        trx,
      ),
      endpoints: await rowsOf<SnapshotRows['endpoints'][number]>(
        sql`select tenant_id, server_id, endpoint_url, source from mcp_proxy.tenant_server_endpoints`,
        trx,
      ),
      variables: await rowsOf<SnapshotRows['variables'][number]>(
        sql`select tenant_id, server_id, name, value, source from mcp_proxy.tenant_variables`,
        trx,
      ),
    }));
}

async function rowsOf<Row>(query: ReturnType<typeof sql<Row>>, db: Db): Promise<Row[]> {
  return (await query.execute(db)).rows;
}
