-- Which master key new secrets are sealed under; the keys themselves are never stored here.
create table mcp_proxy.master_keys (
  id text primary key,
  is_current boolean not null default false,
  first_used_at timestamptz not null default now(),
  retired_at timestamptz
);
create unique index master_keys_one_current on mcp_proxy.master_keys (is_current) where is_current;

-- Secrets of the installation itself, sealed like credentials: what all processes derive further keys from.
create table mcp_proxy.installation_secrets (
  name text primary key,
  sealed text not null,
  created_at timestamptz not null default now()
);

insert into mcp_proxy.live_versions (topic) values ('master_keys');
create trigger live after insert or update or delete on mcp_proxy.master_keys
  for each statement execute function mcp_proxy.bump_live_version('master_keys');
