-- Keys of groups and of users. Tables of their own: the version before goes on reading and writing `credentials`.
-- tenant_id is the data boundary: such a key is used only while that tenant is active; null belongs to no tenant.
create table mcp_proxy.group_credentials (
  id uuid primary key default gen_random_uuid(),
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  group_name text not null references mcp_proxy.groups (name) on delete cascade on update cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  name text not null default 'default',
  sealed text not null,
  last_four text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text not null,
  unique nulls not distinct (tenant_id, group_name, server_id, name)
);

create table mcp_proxy.user_credentials (
  id uuid primary key default gen_random_uuid(),
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  name text not null default 'default',
  sealed text not null,
  last_four text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text not null,
  unique nulls not distinct (tenant_id, user_email, server_id, name)
);

create trigger live after insert or update or delete on mcp_proxy.group_credentials
  for each statement execute function mcp_proxy.bump_live_version('credentials');
create trigger live after insert or update or delete on mcp_proxy.user_credentials
  for each statement execute function mcp_proxy.bump_live_version('credentials');
