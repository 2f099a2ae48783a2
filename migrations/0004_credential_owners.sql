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
  last_used_at timestamptz,
  changed_in xid8 not null default pg_current_xact_id(),
  unique nulls not distinct (tenant_id, group_name, server_id, name)
);
create index group_credentials_group on mcp_proxy.group_credentials (group_name);

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
  last_used_at timestamptz,
  changed_in xid8 not null default pg_current_xact_id(),
  unique nulls not distinct (tenant_id, user_email, server_id, name)
);
create index user_credentials_user on mcp_proxy.user_credentials (user_email);

alter table mcp_proxy.credentials
  add column created_at timestamptz,
  add column last_used_at timestamptz,
  add column changed_in xid8 not null default pg_current_xact_id();
update mcp_proxy.credentials set created_at = updated_at;
alter table mcp_proxy.credentials
  alter column created_at set default now(),
  alter column created_at set not null;

-- changed_in: the transaction that wrote the secret. With the snapshot of its last look a process finds what is new
-- to it, however late that transaction committed, without reading every row again.
create function mcp_proxy.note_change() returns trigger language plpgsql as $$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end $$;
create trigger note_change before insert or update of tenant_id, server_id, name, sealed, last_four
  on mcp_proxy.credentials for each row execute function mcp_proxy.note_change();
create trigger note_change before insert or update of tenant_id, group_name, server_id, name, sealed, last_four
  on mcp_proxy.group_credentials for each row execute function mcp_proxy.note_change();
create trigger note_change before insert or update of tenant_id, user_email, server_id, name, sealed, last_four
  on mcp_proxy.user_credentials for each row execute function mcp_proxy.note_change();

-- Not for last_used_at: that a key was used changes nothing that processes hold.
drop trigger live on mcp_proxy.credentials;
create trigger live after insert or delete or update of tenant_id, server_id, name, sealed, last_four
  on mcp_proxy.credentials
  for each statement execute function mcp_proxy.bump_live_version('credentials');
create trigger live after insert or delete or update of tenant_id, group_name, server_id, name, sealed, last_four
  on mcp_proxy.group_credentials
  for each statement execute function mcp_proxy.bump_live_version('credentials');
create trigger live after insert or delete or update of tenant_id, user_email, server_id, name, sealed, last_four
  on mcp_proxy.user_credentials
  for each statement execute function mcp_proxy.bump_live_version('credentials');
