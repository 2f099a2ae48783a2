-- Everything lives in one schema, so that a shared database stays tidy.
create schema if not exists mcp_proxy;

-- One row per topic; a bump tells every replica to load that topic anew (NOTIFY, and a poll behind it).
create table mcp_proxy.live_versions (
  topic text primary key,
  version bigint not null default 1,
  changed_at timestamptz not null default now()
);
insert into mcp_proxy.live_versions (topic) values ('access'), ('tokens'), ('credentials');

create function mcp_proxy.bump_live_version() returns trigger language plpgsql as $$
begin
  update mcp_proxy.live_versions set version = version + 1, changed_at = now() where topic = tg_argv[0];
  perform pg_notify('toolgate_live', tg_argv[0]);
  return null;
end $$;

-- managed_by: 'file' records come from mcp-servers.json.

create table mcp_proxy.tenants (
  id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,23}$'),
  display_name text not null,
  email_domains text[] not null default '{}',
  enabled boolean not null default true,
  managed_by text not null default 'admin' check (managed_by in ('file', 'admin')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table mcp_proxy.servers (
  id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,23}$'),
  definition jsonb not null,
  enabled boolean not null default true,
  managed_by text not null default 'admin' check (managed_by in ('file', 'admin')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table mcp_proxy.groups (
  name text primary key,
  display_name text not null,
  is_admin boolean not null default false,
  tenant_id text references mcp_proxy.tenants (id) on delete set null,
  external_ids text[] not null default '{}',
  managed_by text not null default 'admin' check (managed_by in ('file', 'admin')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index groups_tenant on mcp_proxy.groups (tenant_id);

-- email also holds '*@domain' patterns and 'service:<name>' ids: whoever can be a member or hold a grant.
create table mcp_proxy.users (
  email text primary key check (email = lower(email)),
  display_name text not null default '',
  disabled boolean not null default false,
  default_tenant text references mcp_proxy.tenants (id) on delete set null,
  source text not null default 'admin',
  created_at timestamptz not null default now(),
  last_seen_at timestamptz
);

-- The identity key of a provider's user is (issuer, subject): an address that changes hands never carries
-- one person's rights to another.
create table mcp_proxy.user_identities (
  issuer text not null,
  subject text not null,
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  created_at timestamptz not null default now(),
  primary key (issuer, subject),
  unique (issuer, user_email)
);

-- One row per (member, group, source): a membership stays while any source still states it.
create table mcp_proxy.memberships (
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  group_name text not null references mcp_proxy.groups (name) on delete cascade on update cascade,
  source text not null default 'admin',
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (user_email, group_name, source)
);
create index memberships_group on mcp_proxy.memberships (group_name);

create table mcp_proxy.group_grants (
  group_name text not null references mcp_proxy.groups (name) on delete cascade on update cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  tools text[] not null default '{*}',
  source text not null default 'admin',
  created_at timestamptz not null default now(),
  primary key (group_name, server_id)
);

-- What the config file said of each record when it was last applied. Kept apart from the records, so that an
-- unchanged entry neither undoes a later change made through the admin API nor brings back what was deleted there.
create table mcp_proxy.file_entries (
  record text not null check (record in ('server', 'tenant', 'group', 'user')),
  id text not null,
  hash text not null,
  applied_at timestamptz not null default now(),
  primary key (record, id)
);

create table mcp_proxy.user_grants (
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  tools text[] not null default '{*}',
  access_level text not null default 'read',
  source text not null default 'admin',
  created_at timestamptz not null default now(),
  primary key (user_email, server_id)
);

create table mcp_proxy.tenant_server_endpoints (
  tenant_id text not null references mcp_proxy.tenants (id) on delete cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  endpoint_url text not null,
  source text not null default 'admin',
  updated_at timestamptz not null default now(),
  primary key (tenant_id, server_id)
);

-- sealed: AES-256-GCM under a master key, bound to (tenant, server, name). tenant_id is null for a shared one.
create table mcp_proxy.credentials (
  id uuid primary key default gen_random_uuid(),
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  name text not null default 'default',
  sealed text not null,
  last_four text not null default '',
  updated_at timestamptz not null default now(),
  updated_by text not null default 'runbook',
  unique nulls not distinct (tenant_id, server_id, name)
);

create table mcp_proxy.api_tokens (
  id uuid primary key,
  hash text not null unique,
  prefix text not null,
  name text not null,
  user_email text references mcp_proxy.users (email) on delete cascade on update cascade,
  service_name text,
  tenant_id text references mcp_proxy.tenants (id) on delete cascade,
  may_forward_users text check (may_forward_users in ('signed', 'plain')),
  created_at timestamptz not null default now(),
  created_by text not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  check ((user_email is null) <> (service_name is null)),
  check (may_forward_users is null or service_name is not null)
);
create index api_tokens_user on mcp_proxy.api_tokens (user_email);

create table mcp_proxy.api_analytics (
  id uuid primary key,
  timestamp timestamptz not null,
  request_id text not null,
  user_email text,
  auth_source text,
  tenant_id text,
  face text not null,
  method text not null,
  endpoint text not null,
  rpc_method text,
  server_id text,
  tool text,
  outcome text not null,
  reason text,
  status_code integer not null,
  response_time_ms double precision not null,
  bytes_in bigint not null,
  bytes_out bigint not null,
  user_agent text,
  client_ip text,
  credential_id text,
  arguments jsonb
);
create index api_analytics_time on mcp_proxy.api_analytics (timestamp desc, id desc);
create index api_analytics_user on mcp_proxy.api_analytics (user_email, timestamp desc);
create index api_analytics_request on mcp_proxy.api_analytics (request_id);

create table mcp_proxy.audit_log (
  id bigint generated always as identity primary key,
  timestamp timestamptz not null default now(),
  actor text not null,
  action text not null,
  target_kind text not null,
  target_id text not null,
  tenant_id text,
  before jsonb,
  after jsonb,
  request_id text,
  client_ip text
);
create index audit_log_time on mcp_proxy.audit_log (timestamp desc, id desc);

-- Names that runbooks of the first system use. Simple enough that PostgreSQL makes them updatable.
create view mcp_proxy.user_group_membership as
  select user_email, group_name from mcp_proxy.memberships;
create view mcp_proxy.group_tenant_mapping as
  select group_name, server_id as tenant_id from mcp_proxy.group_grants;
create view mcp_proxy.user_tenant_access as
  select user_email, server_id as tenant_id, access_level from mcp_proxy.user_grants;
create view mcp_proxy.tenant_server_keys as
  select tenant_id, server_id, sealed as api_key_encrypted from mcp_proxy.credentials
  where tenant_id is not null and name = 'default';

-- Runbooks name people and groups that nobody has seen yet, because the first system kept no list of them.
create function mcp_proxy.make_member() returns trigger language plpgsql as $$
begin
  new.user_email := lower(new.user_email);
  if not exists (select 1 from mcp_proxy.users where email = new.user_email) then
    insert into mcp_proxy.users (email, source) values (new.user_email, 'runbook') on conflict do nothing;
  end if;
  return new;
end $$;

create function mcp_proxy.make_group() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from mcp_proxy.groups where name = new.group_name) then
    insert into mcp_proxy.groups (name, display_name) values (new.group_name, new.group_name) on conflict do nothing;
  end if;
  return new;
end $$;

create trigger make_member before insert on mcp_proxy.memberships
  for each row execute function mcp_proxy.make_member();
create trigger make_member before insert on mcp_proxy.user_grants
  for each row execute function mcp_proxy.make_member();
create trigger make_group before insert on mcp_proxy.memberships
  for each row execute function mcp_proxy.make_group();
create trigger make_group before insert on mcp_proxy.group_grants
  for each row execute function mcp_proxy.make_group();

create trigger live after insert or update or delete on mcp_proxy.tenants
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or update or delete on mcp_proxy.servers
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or update or delete on mcp_proxy.groups
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or delete or update of email, disabled, default_tenant on mcp_proxy.users
  for each statement execute function mcp_proxy.bump_live_version('access');
-- Renewing expires_at alone is not a change: replicas load anew every few minutes anyway.
create trigger live after insert or delete or update of user_email, group_name, source on mcp_proxy.memberships
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or update or delete on mcp_proxy.group_grants
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or update or delete on mcp_proxy.user_grants
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or update or delete on mcp_proxy.tenant_server_endpoints
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or update or delete on mcp_proxy.user_identities
  for each statement execute function mcp_proxy.bump_live_version('access');
create trigger live after insert or update or delete on mcp_proxy.credentials
  for each statement execute function mcp_proxy.bump_live_version('credentials');
create trigger live after insert or delete or update of hash, user_email, service_name, tenant_id, may_forward_users, expires_at, revoked_at
  on mcp_proxy.api_tokens
  for each statement execute function mcp_proxy.bump_live_version('tokens');
