-- Processes keep stored OAuth clients in memory, so that no call waits for the database.
insert into mcp_proxy.live_versions (topic) values ('oauth_clients');
create trigger live after insert or update or delete on mcp_proxy.oauth_clients
  for each statement execute function mcp_proxy.bump_live_version('oauth_clients');

-- The authorization server that the secret of a definition's client was first used at: it goes to no other.
create table mcp_proxy.oauth_secret_issuers (
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  -- Which secret: a hash of the sealed text, another one whenever it is entered anew.
  version text not null,
  issuer text not null,
  used_at timestamptz not null default now(),
  primary key (server_id, version)
);
call mcp_proxy.wall_for_operator('oauth_secret_issuers');

-- Accounts that went away with a user, a server or a tenant, sealed as they were, until their tokens are taken back at
-- the authorization server; and the stored clients that it knows them by, which went away with them.
create table mcp_proxy.account_endings (
  id uuid primary key default gen_random_uuid(),
  kind text not null check (kind in ('account', 'client')),
  -- No foreign keys: what they name is gone.
  tenant_id text,
  user_email text,
  server_id text not null,
  issuer text not null,
  client_id text not null,
  sealed text not null,
  ended_at timestamptz not null default now(),
  tries integer not null default 0,
  due_at timestamptz not null default now()
);
create index account_endings_due on mcp_proxy.account_endings (due_at) where kind = 'account';
create index account_endings_clients on mcp_proxy.account_endings (server_id, issuer) where kind = 'client';
call mcp_proxy.wall_by_tenant('account_endings');
create trigger retired_key before insert or update of sealed on mcp_proxy.account_endings
  for each row execute function mcp_proxy.refuse_retired_key();

-- Arguments: the column of accounts that names what goes, and the column that it is in. What is sealed under a retired
-- key opens nowhere, and must not keep anybody from being deleted. Accounts are locked, so that tokens that are being
-- stored are waited for, and not the ones that they replace kept. One deletion after the other: the accounts of many people
-- and those of many servers are the same ones, and no order of them suits both.
create function mcp_proxy.note_account_endings() returns trigger language plpgsql as $$
declare
  gone text := to_jsonb(old) ->> tg_argv[1];
  retired text[] := array(select id from mcp_proxy.master_keys where retired_at is not null);
begin
  perform pg_advisory_xact_lock(hashtextextended('toolgate account endings', 0));
  execute format('
    insert into mcp_proxy.account_endings (kind, tenant_id, user_email, server_id, issuer, client_id, sealed)
    select ''account'', tenant_id, user_email, server_id, issuer, client_id, sealed from mcp_proxy.user_accounts
    where %I = $1 and substring(sealed from ''^v[12]\.([0-9a-f]{8})\.'') <> all($2)
    for update', tg_argv[0]) using gone, retired;
  if tg_argv[0] <> 'user_email' then
    execute format('
      insert into mcp_proxy.account_endings (kind, tenant_id, server_id, issuer, client_id, sealed)
      select ''client'', tenant_id, server_id, issuer, client_id, sealed from mcp_proxy.oauth_clients as client
      where %1$I = $1 and source = ''stored'' and sealed is not null
        and substring(sealed from ''^v[12]\.([0-9a-f]{8})\.'') <> all($2)
        and exists (select from mcp_proxy.user_accounts as account where account.%1$I = $1
          and account.server_id = client.server_id and account.issuer = client.issuer
          and account.client_id = client.client_id)', tg_argv[0]) using gone, retired;
  end if;
  return old;
end $$;
create trigger account_endings before delete on mcp_proxy.users
  for each row execute function mcp_proxy.note_account_endings('user_email', 'email');
create trigger account_endings before delete on mcp_proxy.servers
  for each row execute function mcp_proxy.note_account_endings('server_id', 'id');
create trigger account_endings before delete on mcp_proxy.tenants
  for each row execute function mcp_proxy.note_account_endings('tenant_id', 'id');
