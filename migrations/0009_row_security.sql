-- Walls between tenants: the program's statements run under a role that row-level security binds, and say in
-- `toolgate.scope` whose they are: '*' the operator's, or a tenant's id; nothing said is nothing seen. Whoever signs
-- in as the owner of the tables (migrations, runbooks) is not bound. See docs/operations.md#the-role-of-the-program.

-- `is not null` and not `=`: the planner then expects that nearly every row passes, which is so for the operator.
-- It is put in place of its call, so that it costs no more than what it says.
create function mcp_proxy.is_operator() returns boolean language sql stable parallel safe
  return nullif(current_setting('toolgate.scope', true) = '*', false) is not null;

-- A database of its own may name another role: alter database … set toolgate.role = '…'.
create function mcp_proxy.app_role() returns text language sql stable as $$
  select coalesce(nullif(current_setting('toolgate.role', true), ''), 'toolgate_app')
$$;

-- Makes what is missing of the role and of what it may do; can be run again. Roles belong to all databases of a server.
create function mcp_proxy.make_app_role() returns void language plpgsql as $$
declare
  app text := mcp_proxy.app_role();
  may_become text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
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
  execute format('revoke update, delete on mcp_proxy.audit_log, mcp_proxy.api_analytics from %I', app);
  execute format('revoke insert, update, delete on mcp_proxy.schema_migrations from %I', app);
  execute format('revoke all on mcp_proxy.user_group_membership, mcp_proxy.group_tenant_mapping,
    mcp_proxy.user_tenant_access, mcp_proxy.tenant_server_keys from %I', app);
end $$;

-- A user who may not make roles can still migrate: the program then says that its walls are missing.
do $$ begin
  perform mcp_proxy.make_app_role();
exception when others then raise notice 'the role of the program was not made: %', sqlerrm;
end $$;

-- Every table has walls, those of later migrations too: one of these two, or policies of its own.

-- Rows of one tenant each; those of none are the operator's.
create procedure mcp_proxy.wall_by_tenant(target text) language plpgsql as $$
begin
  execute format('alter table mcp_proxy.%I enable row level security', target);
  execute format($policy$
    create policy scope on mcp_proxy.%I
      using (tenant_id = current_setting('toolgate.scope', true) or mcp_proxy.is_operator())
      with check (tenant_id = current_setting('toolgate.scope', true) or mcp_proxy.is_operator())
  $policy$, target);
end $$;

-- What belongs to no tenant is the operator's.
create procedure mcp_proxy.wall_for_operator(target text) language plpgsql as $$
begin
  execute format('alter table mcp_proxy.%I enable row level security', target);
  execute format($policy$
    create policy operator on mcp_proxy.%I
      using (mcp_proxy.is_operator()) with check (mcp_proxy.is_operator())
  $policy$, target);
end $$;

call mcp_proxy.wall_by_tenant('tenant_server_endpoints');
call mcp_proxy.wall_by_tenant('tenant_variables');
call mcp_proxy.wall_by_tenant('credentials');
call mcp_proxy.wall_by_tenant('group_credentials');
call mcp_proxy.wall_by_tenant('user_credentials');
call mcp_proxy.wall_by_tenant('api_tokens');
call mcp_proxy.wall_by_tenant('oauth_clients');
call mcp_proxy.wall_by_tenant('user_accounts');
call mcp_proxy.wall_by_tenant('oauth_attempts');

call mcp_proxy.wall_for_operator('tenants');
call mcp_proxy.wall_for_operator('servers');
call mcp_proxy.wall_for_operator('groups');
call mcp_proxy.wall_for_operator('users');
call mcp_proxy.wall_for_operator('user_identities');
call mcp_proxy.wall_for_operator('memberships');
call mcp_proxy.wall_for_operator('group_grants');
call mcp_proxy.wall_for_operator('user_grants');
call mcp_proxy.wall_for_operator('file_entries');
call mcp_proxy.wall_for_operator('pin_places');
call mcp_proxy.wall_for_operator('tool_pins');
call mcp_proxy.wall_for_operator('master_keys');
call mcp_proxy.wall_for_operator('installation_secrets');
call mcp_proxy.wall_for_operator('live_versions');

-- Records of one tenant: added and read, never changed. Their tenant is no foreign key, so the empty one is ruled out.
alter table mcp_proxy.audit_log enable row level security;
create policy scope_reads on mcp_proxy.audit_log for select
  using (tenant_id = nullif(current_setting('toolgate.scope', true), '') or mcp_proxy.is_operator());
create policy scope_adds on mcp_proxy.audit_log for insert
  with check (tenant_id = nullif(current_setting('toolgate.scope', true), '') or mcp_proxy.is_operator());
alter table mcp_proxy.api_analytics enable row level security;
create policy scope_reads on mcp_proxy.api_analytics for select
  using (tenant_id = nullif(current_setting('toolgate.scope', true), '') or mcp_proxy.is_operator());
create policy scope_adds on mcp_proxy.api_analytics for insert
  with check (tenant_id = nullif(current_setting('toolgate.scope', true), '') or mcp_proxy.is_operator());

alter table mcp_proxy.schema_migrations enable row level security;
create policy operator_reads on mcp_proxy.schema_migrations for select
  using (mcp_proxy.is_operator());

-- What work for one tenant must see besides: the tenant itself, its groups, the servers. A policy for updates whose
-- check is false lets a row be locked (`for share`) and never be changed.
create policy own_read on mcp_proxy.tenants for select using (id = current_setting('toolgate.scope', true));
create policy own_lock on mcp_proxy.tenants for update using (id = current_setting('toolgate.scope', true)) with check (false);
create policy own_read on mcp_proxy.groups for select using (tenant_id = current_setting('toolgate.scope', true));
create policy own_lock on mcp_proxy.groups for update using (tenant_id = current_setting('toolgate.scope', true)) with check (false);
create policy any_read on mcp_proxy.servers for select using (nullif(current_setting('toolgate.scope', true), '') is not null);
create policy any_lock on mcp_proxy.servers for update using (nullif(current_setting('toolgate.scope', true), '') is not null) with check (false);

-- Triggers tell of every change, whoever made it.
create policy any_read on mcp_proxy.live_versions for select using (nullif(current_setting('toolgate.scope', true), '') is not null);
create policy any_bump on mcp_proxy.live_versions for update using (nullif(current_setting('toolgate.scope', true), '') is not null);

-- Runbooks sign in as the owner, whom nothing binds; whoever else is let in sees through a view what they see without.
alter view mcp_proxy.user_group_membership set (security_invoker = true);
alter view mcp_proxy.group_tenant_mapping set (security_invoker = true);
alter view mcp_proxy.user_tenant_access set (security_invoker = true);
alter view mcp_proxy.tenant_server_keys set (security_invoker = true);
