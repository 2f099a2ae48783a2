-- Clients of the gate at authorization servers: registered by hand, or dynamically (RFC 7591).
create table mcp_proxy.oauth_clients (
  id uuid primary key default gen_random_uuid(),
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  issuer text not null,
  source text not null check (source in ('stored', 'registered')),
  client_id text not null,
  -- Client secret and what else the registration answered with; null for a public client.
  sealed text,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text not null,
  unique nulls not distinct (tenant_id, server_id, issuer, source)
);

-- Tokens of one user at one server, sealed. tenant_id is the data boundary, as of user_credentials.
create table mcp_proxy.user_accounts (
  id uuid primary key default gen_random_uuid(),
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  issuer text not null,
  client_id text not null,
  -- The address that the tokens were asked for (RFC 8707): they go nowhere else.
  resource text not null,
  state text not null check (state in ('connected', 'reconnect')),
  problem text,
  sealed text not null,
  scopes text[] not null default '{}',
  expires_at timestamptz,
  -- Only one process renews at a time: whoever holds the lease.
  lease_until timestamptz,
  lease_by text,
  connected_at timestamptz not null default now(),
  refreshed_at timestamptz,
  unique nulls not distinct (tenant_id, user_email, server_id)
);

-- Authorization requests under way: answered once, by whichever process the browser comes back to.
create table mcp_proxy.oauth_attempts (
  id text primary key,
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  sealed text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index oauth_attempts_expiry on mcp_proxy.oauth_attempts (expires_at);

insert into mcp_proxy.live_versions (topic) values ('accounts');
create trigger live after insert or delete or update of state, sealed, problem on mcp_proxy.user_accounts
  for each statement execute function mcp_proxy.bump_live_version('accounts');
create trigger live after insert or update or delete on mcp_proxy.oauth_clients
  for each statement execute function mcp_proxy.bump_live_version('accounts');
