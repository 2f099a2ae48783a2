-- Which master key new secrets are sealed under; the keys themselves are never stored here.
create table mcp_proxy.master_keys (
  id text primary key,
  is_current boolean not null default false,
  first_used_at timestamptz not null default now(),
  retired_at timestamptz,
  -- Since when everything is to be sealed under this key; null while nobody asked for that.
  rotation_asked_at timestamptz,
  -- The process that is at it, for as long as it says so.
  lease_by text,
  lease_until timestamptz,
  check (not is_current or retired_at is null)
);
create unique index master_keys_one_current on mcp_proxy.master_keys (is_current) where is_current;

-- Secrets of the installation itself, sealed like credentials: what all processes derive further keys from.
create table mcp_proxy.installation_secrets (
  name text primary key,
  sealed text not null,
  created_at timestamptz not null default now()
);

-- A sealed text that does not belong where it is: told once for each text.
create index audit_log_refused on mcp_proxy.audit_log (target_id, (after ->> 'text'))
  where action = 'credential.refused';

insert into mcp_proxy.live_versions (topic) values ('master_keys');
-- A lease that is renewed changes nothing that others have to know.
create trigger live after insert or delete or update of is_current, retired_at, rotation_asked_at
  on mcp_proxy.master_keys
  for each statement execute function mcp_proxy.bump_live_version('master_keys');
