-- Nothing is sealed under a master key that was retired, whoever writes it: a replica that has not heard yet, an older
-- version of the program, a restored row. Locking the key's row makes a retirement wait for writes under way, and they
-- for it. Runs as the owner: who writes for a tenant does not see the keys.
create function mcp_proxy.refuse_retired_key() returns trigger language plpgsql
  security definer set search_path = pg_catalog as $$
declare retired timestamptz;
begin
  select retired_at into retired from mcp_proxy.master_keys
    where id = substring(new.sealed from '^v[12]\.([0-9a-f]{8})\.') for key share;
  if retired is not null then
    raise exception 'the master key % is retired', substring(new.sealed from 4 for 8) using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;

do $$
declare sealed_table text;
begin
  foreach sealed_table in array array['credentials', 'group_credentials', 'user_credentials', 'oauth_clients',
    'user_accounts', 'oauth_attempts', 'installation_secrets']
  loop
    execute format('create trigger retired_key before insert or update of sealed on mcp_proxy.%I
      for each row execute function mcp_proxy.refuse_retired_key()', sealed_table);
  end loop;
end $$;
