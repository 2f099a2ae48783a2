-- Records of requests are kept by time: ids are UUIDs that begin with the time (RFC 9562, version 7), a partition holds
-- the ids of one week, and whole weeks go when they are over. The unique index stays one on the id alone, which the
-- version before needs for its `on conflict (id)`. Its random ids, and times without a partition, are in
-- api_analytics_rest: the table as it was. Nothing is copied.

alter table mcp_proxy.api_analytics add column stored_at timestamptz not null default now();
alter table mcp_proxy.api_analytics rename to api_analytics_rest;
alter table mcp_proxy.api_analytics_rest rename constraint api_analytics_pkey to api_analytics_rest_pkey;
alter index mcp_proxy.api_analytics_time rename to api_analytics_rest_time;
alter index mcp_proxy.api_analytics_user rename to api_analytics_rest_user;
alter index mcp_proxy.api_analytics_request rename to api_analytics_rest_request;
create index api_analytics_rest_stored on mcp_proxy.api_analytics_rest (stored_at);

create table mcp_proxy.api_analytics (like mcp_proxy.api_analytics_rest including defaults, constraint api_analytics_pkey primary key (id))
  partition by range (id);
create index api_analytics_time on mcp_proxy.api_analytics (timestamp desc, id desc);
create index api_analytics_user on mcp_proxy.api_analytics (user_email, timestamp desc);
create index api_analytics_request on mcp_proxy.api_analytics (request_id);
create index api_analytics_stored on mcp_proxy.api_analytics (stored_at);
alter table mcp_proxy.api_analytics attach partition mcp_proxy.api_analytics_rest default;

alter table mcp_proxy.api_analytics enable row level security;
create policy scope_reads on mcp_proxy.api_analytics for select
  using (tenant_id = nullif(current_setting('toolgate.scope', true), '') or mcp_proxy.is_operator());
create policy scope_adds on mcp_proxy.api_analytics for insert
  with check (tenant_id = nullif(current_setting('toolgate.scope', true), '') or mcp_proxy.is_operator());

-- The lowest id of a time.
create function mcp_proxy.first_id(at timestamptz) returns uuid language sql immutable parallel safe
  return (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;

-- Makes the partitions of the weeks from `since` to `until` that are not there. Rows that belong there move; random ids
-- that only look as if they did get others, which no week has. The rest is looked through once, however many are made.
create function mcp_proxy.make_weeks(since timestamptz, until timestamptz) returns integer language plpgsql
  set search_path = pg_catalog as $$
declare
  week timestamptz;
  name text;
  made integer := 0;
  missing timestamptz[] := array(
    select w from generate_series(date_trunc('week', since, 'UTC'), until, interval '7 days') w
    where to_regclass('mcp_proxy.api_analytics_' || to_char(w at time zone 'UTC', 'YYYYMMDD')) is null);
begin
  if missing = '{}' then return 0; end if;
  lock table mcp_proxy.api_analytics in access exclusive mode;
  alter table mcp_proxy.api_analytics detach partition mcp_proxy.api_analytics_rest;
  foreach week in array missing loop
    name := 'api_analytics_' || to_char(week at time zone 'UTC', 'YYYYMMDD');
    if to_regclass('mcp_proxy.' || name) is not null then continue; end if;
    execute format('create table mcp_proxy.%I partition of mcp_proxy.api_analytics for values from (%L) to (%L)',
      name, mcp_proxy.first_id(week), mcp_proxy.first_id(week + interval '7 days'));
    -- It is reached through the whole alone, whose walls hold.
    execute format('alter table mcp_proxy.%I enable row level security', name);
    if exists (select from pg_roles where rolname = mcp_proxy.app_role()) then
      execute format('revoke all on mcp_proxy.%I from %I', name, mcp_proxy.app_role());
    end if;
    update mcp_proxy.api_analytics_rest r set id = overlay(r.id::text placing 'ffffffff-ffff-8' from 1)::uuid
      where r.id >= mcp_proxy.first_id(week) and r.id < mcp_proxy.first_id(week + interval '7 days')
        and (r.timestamp < week or r.timestamp >= week + interval '7 days');
    with moved as (
      delete from mcp_proxy.api_analytics_rest r
      where r.id >= mcp_proxy.first_id(week) and r.id < mcp_proxy.first_id(week + interval '7 days') returning r.*)
    insert into mcp_proxy.api_analytics select * from moved;
    made := made + 1;
  end loop;
  alter table mcp_proxy.api_analytics attach partition mcp_proxy.api_analytics_rest default;
  return made;
end $$;
revoke execute on function mcp_proxy.make_weeks(timestamptz, timestamptz) from public;

-- Requests of an hour and of a day, for charts over months. Nobody's name is in them; '' is none.
create table mcp_proxy.analytics_hourly (
  hour timestamptz not null,
  tenant text not null,
  server text not null,
  tool text not null,
  face text not null,
  outcome text not null,
  requests bigint not null,
  milliseconds double precision not null,
  -- How many took at most 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000 ms, and longer.
  took bigint[] not null,
  bytes_in bigint not null,
  bytes_out bigint not null,
  primary key (hour, tenant, server, tool, face, outcome)
);
create table mcp_proxy.analytics_daily (like mcp_proxy.analytics_hourly including all);
alter table mcp_proxy.analytics_daily rename column hour to day;
call mcp_proxy.wall_for_operator('analytics_hourly');
call mcp_proxy.wall_for_operator('analytics_daily');

-- As before, with what came since.
create or replace function mcp_proxy.make_app_role() returns void language plpgsql as $$
declare
  app text := mcp_proxy.app_role();
  may_become text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
  week regclass;
begin
  if not exists (select from pg_roles where rolname = app) then
    begin
      execute format('create role %I nologin', app);
    exception when duplicate_object or unique_violation then null; -- In this moment, for another database.
    end;
  end if;
  if not pg_has_role(current_user, app, may_become) then
    begin
      execute format('grant %I to current_user', app);
    exception when unique_violation then null;
    end;
  end if;
  execute format('grant usage on schema mcp_proxy to %I', app);
  execute format('grant select, insert, update, delete on all tables in schema mcp_proxy to %I', app);
  execute format('grant execute on function mcp_proxy.is_operator() to %I', app);
  execute format('grant usage on all sequences in schema mcp_proxy to %I', app);
  execute format('alter default privileges in schema mcp_proxy grant select, insert, update, delete on tables to %I', app);
  execute format('alter default privileges in schema mcp_proxy grant usage on sequences to %I', app);
  -- What happened stays as it was written; the views are for runbooks.
  execute format('revoke update, delete on mcp_proxy.audit_log, mcp_proxy.api_analytics, mcp_proxy.api_analytics_rest from %I', app);
  execute format('revoke insert, update, delete on mcp_proxy.audit_chain, mcp_proxy.schema_migrations from %I', app);
  execute format('revoke all on mcp_proxy.user_group_membership, mcp_proxy.group_tenant_mapping,
    mcp_proxy.user_tenant_access, mcp_proxy.tenant_server_keys from %I', app);
  for week in select inhrelid::regclass from pg_inherits
    where inhparent = 'mcp_proxy.api_analytics'::regclass and inhrelid <> 'mcp_proxy.api_analytics_rest'::regclass
  loop
    execute format('revoke all on %s from %I', week, app);
  end loop;
end $$;
do $$ begin
  perform mcp_proxy.make_app_role();
exception when others then raise notice 'the role of the program was not made: %', sqlerrm;
end $$;
