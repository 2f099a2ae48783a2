-- What ${variable:NAME} stands for, for one tenant: of one server, or of every server where server_id is null.
create table mcp_proxy.tenant_variables (
  tenant_id text not null references mcp_proxy.tenants (id) on delete cascade,
  server_id text references mcp_proxy.servers (id) on delete cascade,
  name text not null,
  value text not null,
  source text not null default 'admin',
  updated_at timestamptz not null default now(),
  unique nulls not distinct (tenant_id, server_id, name)
);
create trigger live after insert or update or delete on mcp_proxy.tenant_variables
  for each statement execute function mcp_proxy.bump_live_version('access');
