// A snapshot written down as the config file writes it, for tests of rules that need no database.
import type { z } from 'zod';
import { accessFile, type Principal, tenantId } from '../src/access/contract.ts';
import { buildSnapshot, type Snapshot } from '../src/access/snapshot.ts';

export interface World extends Omit<z.input<typeof accessFile>, 'mcpServers'> {
  /** Servers by id; what is left out of a definition does not matter to access. */
  servers?: Record<string, { enabled?: boolean; tools?: string[]; toolOverrides?: object }>;
  /** Beside those that `users` states with the source `file`. */
  memberships?: readonly { user: string; group: string; source?: string; expiresAt?: number }[];
}

export function snapshotOf(world: World): Snapshot {
  const { servers = {}, memberships = [], ...rest } = world;
  const definitions = Object.entries(servers).map(([id, server]) => [
    id,
    'url' in server ? server : { command: 'none', ...server },
  ]);
  const file = accessFile.parse({ ...rest, mcpServers: Object.fromEntries(definitions) });
  const groups = Object.entries(file.groups);
  const users = Object.entries(file.users);
  return buildSnapshot({
    servers: Object.entries(file.mcpServers)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, definition]) => ({
        id,
        definition,
        enabled: definition.enabled,
        managed_by: 'file',
        updated_at: new Date(0),
      })),
    tenants: Object.entries(file.tenants).map(([id, tenant]) => ({
      ...{ id, display_name: id, email_domains: tenant.emailDomains, enabled: tenant.enabled },
      managed_by: 'file',
    })),
    groups: groups.map(([name, group]) => ({
      ...{
        name,
        display_name: name,
        is_admin: group.admin,
        tenant_id: group.tenant ?? null,
        external_ids: group.externalIds,
        tool_overrides: group.toolOverrides ?? {},
      },
    })),
    groupGrants: groups.flatMap(([name, group]) => grantRows(name, group.servers)),
    users: users.map(([email, user]) => ({
      ...{ email, disabled: user.disabled ?? false, default_tenant: user.defaultTenant ?? null },
    })),
    memberships: [
      ...users.flatMap(([email, user]) =>
        user.groups.map((group) => membershipRow(email, group, 'file', undefined)),
      ),
      ...memberships.map(({ user, group, source, expiresAt }) =>
        membershipRow(user, group, source ?? 'admin', expiresAt),
      ),
    ],
    userGrants: users.flatMap(([email, user]) => grantRows(email, user.servers)),
    identities: [],
    endpoints: Object.entries(file.tenants).flatMap(([tenant_id, { endpoints }]) =>
      Object.entries(endpoints).map(([server_id, url]) => ({
        tenant_id,
        server_id,
        endpoint_url: url,
        source: 'file',
      })),
    ),
    variables: Object.entries(file.tenants).flatMap(([tenant_id, { variables = {} }]) =>
      Object.entries(variables).flatMap(([server, values]) =>
        Object.entries(values).map(([name, value]) => ({
          ...{ tenant_id, server_id: server === '*' ? null : server, name, value, source: 'file' },
        })),
      ),
    ),
  });
}

/** Somebody who came in with an API token, unless `more` says otherwise. */
export function caller(
  id: string,
  more: Partial<Omit<Principal, 'tokenTenant'>> & { tokenTenant?: string } = {},
): Principal {
  const { tokenTenant, ...rest } = more;
  return {
    kind: id.startsWith('service:') ? 'service' : 'user',
    id,
    assertedGroups: [],
    assertedBy: null,
    authSource: 'api-token',
    credentialId: 'test',
    ...rest,
    tokenTenant: tokenTenant === undefined ? null : tenantId.parse(tokenTenant),
  };
}

function grantRows(holder: string, grants: Readonly<Record<string, string[]>>) {
  return Object.entries(grants).map(([server_id, tools]) => ({ holder, server_id, tools }));
}

function membershipRow(
  user_email: string,
  group_name: string,
  source: string,
  expiresAt: number | undefined,
) {
  return { user_email, group_name, source, expires_at: expiresAt === undefined ? null : new Date(expiresAt) };
}
