-- Clients of the gate at authorization servers: stored by an administrator, registered dynamically (RFC 7591), or
-- named in the definition of a server, where only the authorization server that it was first used at is kept.
create table mcp_proxy.oauth_clients (
  id uuid primary key default gen_random_uuid(),
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  -- The only authorization server that this client is shown to.
  issuer text not null,
  source text not null check (source in ('stored', 'registered', 'configured')),
  client_id text not null,
  -- Client secret and what else the registration answered with; null for a public client.
  sealed text,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text not null
);
-- An administrator stores one client for a tenant's server; registrations are one for each authorization server.
create unique index oauth_clients_place on mcp_proxy.oauth_clients
  (tenant_id, server_id, source, (case when source = 'registered' then issuer else '' end)) nulls not distinct;

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
  -- How often tokens were stored, so that an older state is never taken for a newer one.
  generation integer not null default 1,
  -- The transaction that last changed what processes keep in memory: they load what changed, not everything.
  changed xid8 not null default pg_current_xact_id(),
  unique nulls not distinct (tenant_id, user_email, server_id)
);
create index user_accounts_changed on mcp_proxy.user_accounts (changed);
create index user_accounts_user on mcp_proxy.user_accounts (user_email);
create index user_accounts_server on mcp_proxy.user_accounts (server_id);

create function mcp_proxy.note_account_change() returns trigger language plpgsql as $$
begin
  new.changed := pg_current_xact_id();
  return new;
end $$;
create trigger note_change before update of user_email, resource, state, problem, sealed, generation
  on mcp_proxy.user_accounts for each row execute function mcp_proxy.note_account_change();

-- Authorization requests under way: answered once, by whichever process the browser comes back to.
create table mcp_proxy.oauth_attempts (
  -- A hash of the `state` parameter.
  id text primary key,
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  sealed text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index oauth_attempts_expiry on mcp_proxy.oauth_attempts (expires_at);
create index oauth_attempts_user on mcp_proxy.oauth_attempts (user_email, created_at);

insert into mcp_proxy.live_versions (topic) values ('accounts');
create trigger live after insert or delete or update of user_email, resource, state, problem, sealed, generation
  on mcp_proxy.user_accounts for each statement execute function mcp_proxy.bump_live_version('accounts');
