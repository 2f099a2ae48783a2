-- Leads to the same schema as 24f140abb54850ff75c025d9d73b3b9131b529ab32394314f6c6aebc5fea77d8.
-- Records of changes are append-only, and each is chained to the one before by hash: docs/audit.md says how to verify
-- the chain without this program.

create table mcp_proxy.audit_chain (
  -- Without gaps, in the order in which the records were committed.
  seq bigint primary key,
  audit_id bigint not null unique,
  -- One for each part of a record that may hold personal data, in the order of audit_commitments below.
  salts uuid[] not null,
  commitments bytea[] not null,
  -- The record of the erasure that took the salts which are missing.
  erased_by bigint,
  digest bytea not null,
  previous bytea not null,
  hash bytea not null
);
call mcp_proxy.wall_for_operator('audit_chain');

-- Everything is hashed as the text of a JSON array of texts, so that no two records have the same text.

-- What a commitment says of a value is nothing, without the salt.
create function mcp_proxy.audit_commitments(record mcp_proxy.audit_log, salts uuid[]) returns bytea[] language plpgsql immutable as $$
begin
  return array[
    sha256(convert_to(json_build_array(salts[1], 'actor', record.actor)::text, 'UTF8')),
    sha256(convert_to(json_build_array(salts[2], 'target_id', record.target_id)::text, 'UTF8')),
    sha256(convert_to(json_build_array(salts[3], 'before', record.before::text)::text, 'UTF8')),
    sha256(convert_to(json_build_array(salts[4], 'after', record.after::text)::text, 'UTF8')),
    sha256(convert_to(json_build_array(salts[5], 'request_id', record.request_id)::text, 'UTF8')),
    sha256(convert_to(json_build_array(salts[6], 'client_ip', record.client_ip)::text, 'UTF8'))
  ];
end $$;

create function mcp_proxy.audit_digest(record mcp_proxy.audit_log, commitments bytea[]) returns bytea language plpgsql immutable as $$
begin
  return sha256(convert_to(json_build_array('toolgate audit 1', record.id::text,
    to_char(record.timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    record.action, record.target_kind, record.tenant_id,
    encode(commitments[1], 'hex'), encode(commitments[2], 'hex'), encode(commitments[3], 'hex'),
    encode(commitments[4], 'hex'), encode(commitments[5], 'hex'), encode(commitments[6], 'hex'))::text, 'UTF8'));
end $$;

create function mcp_proxy.audit_link(previous bytea, seq bigint, digest bytea) returns bytea language plpgsql immutable as $$
begin
  return sha256(convert_to(json_build_array(seq::text, encode(previous, 'hex'), encode(digest, 'hex'))::text, 'UTF8'));
end $$;

create function mcp_proxy.audit_salts() returns uuid[] language plpgsql volatile as $$
begin
  return array[gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()];
end $$;

-- Runs when the transaction commits, one transaction at a time, so that the chain has the order of the commits and
-- nobody waits in the middle of one. Runs as the owner: who writes for a tenant does not see the chain.
create function mcp_proxy.chain_audit() returns trigger language plpgsql
  security definer set search_path = pg_catalog as $$
declare
  last_seq bigint;
  last_hash bytea;
  salts uuid[] := mcp_proxy.audit_salts();
  commitments bytea[];
  digest bytea;
begin
  perform pg_advisory_xact_lock(7466312986);
  -- A statement of its own: it sees what was committed while this one waited.
  select c.seq, c.hash into last_seq, last_hash from mcp_proxy.audit_chain c order by c.seq desc limit 1;
  last_seq := coalesce(last_seq, 0);
  last_hash := coalesce(last_hash, sha256(''));
  commitments := mcp_proxy.audit_commitments(new, salts);
  digest := mcp_proxy.audit_digest(new, commitments);
  insert into mcp_proxy.audit_chain (seq, audit_id, salts, commitments, digest, previous, hash)
    values (last_seq + 1, new.id, salts, commitments, digest, last_hash,
      mcp_proxy.audit_link(last_hash, last_seq + 1, digest));
  return null;
end $$;

-- What is there already, in the order of its numbers. Nobody waits for this, however much it is.
create aggregate mcp_proxy.audit_links(bigint, bytea) (sfunc = mcp_proxy.audit_link, stype = bytea,
  initcond = '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
insert into mcp_proxy.audit_chain (seq, audit_id, salts, commitments, digest, previous, hash)
  select seq, id, salts, commitments, digest, lag(hash, 1, sha256('')) over (order by seq), hash from (
    select seq, id, salts, commitments, digest, mcp_proxy.audit_links(seq, digest) over (order by seq) as hash from (
      select seq, id, salts, commitments, mcp_proxy.audit_digest(record, commitments) as digest from (
        select seq, id, salts, record, mcp_proxy.audit_commitments(record, salts) as commitments from (
          select row_number() over (order by id) as seq, id, mcp_proxy.audit_salts() as salts, a as record
          from mcp_proxy.audit_log a offset 0) salted offset 0) committed offset 0) digested offset 0) linked;
drop aggregate mcp_proxy.audit_links(bigint, bytea);

-- What was written meanwhile, in its order: few, one after the other. Whoever writes waits from here on. The lock is
-- tried for again here: were it left to whoever runs this, all of the above would be done again each time.
do $$ begin
  for try in 1 .. 100 loop
    begin
      lock table mcp_proxy.audit_log in share row exclusive mode;
      return;
    exception when lock_not_available then
      -- Whoever waits behind this one gets a turn.
      perform pg_sleep(1);
    end;
  end loop;
  lock table mcp_proxy.audit_log in share row exclusive mode;
end $$;

create function mcp_proxy.chain_missed() returns void language plpgsql as $$
declare
  missed mcp_proxy.audit_log;
  last_seq bigint;
  last_hash bytea;
  salts uuid[];
  commitments bytea[];
  digest bytea;
  link bytea;
begin
  select c.seq, c.hash into last_seq, last_hash from mcp_proxy.audit_chain c order by c.seq desc limit 1;
  last_seq := coalesce(last_seq, 0);
  last_hash := coalesce(last_hash, sha256(''));
  for missed in select a.* from mcp_proxy.audit_log a
    where not exists (select from mcp_proxy.audit_chain c where c.audit_id = a.id) order by a.id
  loop
    salts := mcp_proxy.audit_salts();
    commitments := mcp_proxy.audit_commitments(missed, salts);
    digest := mcp_proxy.audit_digest(missed, commitments);
    last_seq := last_seq + 1;
    link := mcp_proxy.audit_link(last_hash, last_seq, digest);
    insert into mcp_proxy.audit_chain (seq, audit_id, salts, commitments, digest, previous, hash)
      values (last_seq, missed.id, salts, commitments, digest, last_hash, link);
    last_hash := link;
  end loop;
end $$;
select mcp_proxy.chain_missed();
drop function mcp_proxy.chain_missed();

create constraint trigger chained after insert on mcp_proxy.audit_log deferrable initially deferred
  for each row execute function mcp_proxy.chain_audit();

-- Not even the owner of the tables changes a record by mistake; erasing what it says of a person is the exception.
create function mcp_proxy.keep_audit() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and current_setting('toolgate.erasing', true) = 'on' then return new; end if;
  raise exception 'records in % are never changed or deleted', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger append_only before update or delete on mcp_proxy.audit_log
  for each row execute function mcp_proxy.keep_audit();
create trigger append_only before update or delete on mcp_proxy.audit_chain
  for each row execute function mcp_proxy.keep_audit();
create trigger never_emptied before truncate on mcp_proxy.audit_log
  for each statement execute function mcp_proxy.keep_audit();
create trigger never_emptied before truncate on mcp_proxy.audit_chain
  for each statement execute function mcp_proxy.keep_audit();

-- Replaces an address in text, but not where it is the end or the beginning of a longer one.
create function mcp_proxy.without_person(value text, person text, pseudonym text) returns text language sql immutable
  return regexp_replace(value, '(?<![[:alnum:]._%+-])' || regexp_replace(person, '([^[:alnum:]@])', '\\\1', 'g') ||
    '(?![[:alnum:]-]|\.[[:alnum:]])', pseudonym, 'gi');

-- Takes a person out of the records of changes. The salts of what changes go with it: what its commitments were made of
-- can then not even be guessed, and the chain stays valid. `erasure` is the record that says so.
create function mcp_proxy.erase_from_audit(person text, pseudonym text, erasure bigint) returns bigint language plpgsql
  set search_path = pg_catalog as $$
declare
  found record;
  erased bigint := 0;
begin
  perform set_config('toolgate.erasing', 'on', true);
  for found in
    select a.*, lower(a.actor) = person as acted, a.target_kind = 'user' and lower(a.target_id) = person as is_target,
      mcp_proxy.without_person(a.actor, person, pseudonym) as new_actor,
      mcp_proxy.without_person(a.target_id, person, pseudonym) as new_target,
      mcp_proxy.without_person(a.before::text, person, pseudonym) as new_before,
      mcp_proxy.without_person(a.after::text, person, pseudonym) as new_after
    from mcp_proxy.audit_log a
    -- What this transaction wrote has no place in the chain yet, and does not name the person.
    where a.id <> erasure and (a.actor ilike '%' || person || '%' or a.target_id ilike '%' || person || '%'
      or a.before::text ilike '%' || person || '%' or a.after::text ilike '%' || person || '%')
    order by a.id
  loop
    -- What is said of the person holds more than the address.
    if found.is_target then
      found.new_before := case when found.before is not null then jsonb_build_object('erased', pseudonym)::text end;
      found.new_after := case when found.after is not null then jsonb_build_object('erased', pseudonym)::text end;
    end if;
    if (found.new_actor, found.new_target, found.new_before, found.new_after)
      is not distinct from (found.actor, found.target_id, found.before::text, found.after::text) then continue; end if;
    update mcp_proxy.audit_log set actor = found.new_actor, target_id = found.new_target,
      before = found.new_before::jsonb, after = found.new_after::jsonb,
      request_id = case when found.acted then null else request_id end,
      client_ip = case when found.acted then null else client_ip end
    where id = found.id;
    update mcp_proxy.audit_chain c set erased_by = erasure, salts = array[
      case when found.new_actor is not distinct from found.actor then c.salts[1] end,
      case when found.new_target is not distinct from found.target_id then c.salts[2] end,
      case when found.new_before is not distinct from found.before::text then c.salts[3] end,
      case when found.new_after is not distinct from found.after::text then c.salts[4] end,
      case when not found.acted or found.request_id is null then c.salts[5] end,
      case when not found.acted or found.client_ip is null then c.salts[6] end]
    where c.audit_id = found.id;
    erased := erased + 1;
  end loop;
  perform set_config('toolgate.erasing', 'off', true);
  return erased;
end $$;
revoke execute on function mcp_proxy.erase_from_audit(text, text, bigint) from public;

-- What one process at a time does, whose turn it is, and how far it has come.
create table mcp_proxy.jobs (
  name text primary key,
  holder text,
  held_until timestamptz,
  began_at timestamptz,
  state jsonb not null default '{}'
);
call mcp_proxy.wall_for_operator('jobs');
