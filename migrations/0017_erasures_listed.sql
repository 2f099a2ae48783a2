-- An erasure takes salts, so that the commitments to what it left prove nothing any more. Its record in the chain commits
-- to what is left instead: docs/audit.md says how.

create function mcp_proxy.audit_left(value text) returns text language sql immutable
  return encode(sha256(convert_to(json_build_array(value)::text, 'UTF8')), 'hex');

-- The hash of a list that grows: begins with that of the empty text, in the order of the chain and of the parts.
create function mcp_proxy.audit_listed(list text, seq bigint, part text, is_left text) returns text language sql immutable
  return encode(sha256(convert_to(json_build_array(list, seq::text, part, is_left)::text, 'UTF8')), 'hex');

-- Replaces an address in text where it stands alone. Before it every character counts that RFC 5322 and 6531 allow in an
-- address: all but blanks, controls and "(),:;<>[\]. After it a letter or a digit counts, also behind a dot or a hyphen.
-- The classes name ASCII and signs alone: what a letter is beyond that depends on the locale of the database.
create or replace function mcp_proxy.without_person(value text, person text, pseudonym text) returns text language sql immutable
  return regexp_replace(value,
    '(?<![^\u0001-\u0020\u007f"(),:;<>\[\\\]])' || regexp_replace(person, '([][\\.^$*+?(){}|])', '\\\1', 'g') ||
    '(?![-._\u3002\uff0e\uff61]*[^\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00b6\u00b8-\u00bf\u2010-\u206f\u3000-\u3002\uff0e\uff61]|"?@)',
    pseudonym, 'gi');

-- The same in every text and every name of a JSON value, as it reads without escapes.
create function mcp_proxy.without_person(value jsonb, person text, pseudonym text) returns jsonb language plpgsql immutable as $$
begin
  if value is null or strpos(lower(value::text), lower(person)) = 0 then return value; end if;
  return case jsonb_typeof(value)
    when 'string' then to_jsonb(mcp_proxy.without_person(value #>> '{}', person, pseudonym))
    when 'array' then (
      select jsonb_agg(mcp_proxy.without_person(item, person, pseudonym) order by place)
      from jsonb_array_elements(value) with ordinality as one(item, place))
    when 'object' then (
      select jsonb_object_agg(mcp_proxy.without_person(name, person, pseudonym),
        mcp_proxy.without_person(item, person, pseudonym))
      from jsonb_each(value) as one(name, item))
    else value
  end;
end $$;

-- A process of the version before can erase nobody while it still runs: nothing would say what its erasure left.
drop function mcp_proxy.erase_from_audit(text, text, bigint);

-- Takes a person out of the records of changes. The salts of what changes go with it: what its commitments were made of
-- can then not even be guessed, and the chain stays valid. Whoever calls it writes the record `erasure`, with `parts` and
-- `list`, in the same transaction.
create function mcp_proxy.erase_from_audit(person text, pseudonym text, out erasure bigint, out erased bigint,
  out parts bigint, out list text) language plpgsql set search_path = pg_catalog as $$
declare
  names constant text[] := array['actor', 'target_id', 'before', 'after', 'request_id', 'client_ip'];
  was record;
  kept mcp_proxy.audit_log;
  texts text[];
  texts_left text[];
  salts_left uuid[];
  listed jsonb;
begin
  -- One erasure at a time: what another one took would come back with what was read before.
  perform pg_advisory_xact_lock(7466312987);
  erasure := nextval(pg_get_serial_sequence('mcp_proxy.audit_log', 'id'));
  erased := 0;
  parts := 0;
  list := encode(sha256(''), 'hex');
  perform set_config('toolgate.erasing', 'on', true);
  for was in
    select a.*, c.seq, c.salts, lower(a.actor) = person as acted,
      a.target_kind = 'user' and lower(a.target_id) = person as is_target,
      mcp_proxy.without_person(a.actor, person, pseudonym) as new_actor,
      mcp_proxy.without_person(a.target_id, person, pseudonym) as new_target,
      mcp_proxy.without_person(a.before, person, pseudonym) as new_before,
      mcp_proxy.without_person(a.after, person, pseudonym) as new_after
    from mcp_proxy.audit_log a left join mcp_proxy.audit_chain c on c.audit_id = a.id
    where a.actor ilike '%' || person || '%' or a.target_id ilike '%' || person || '%'
      or a.before::text ilike '%' || person || '%' or a.after::text ilike '%' || person || '%'
    order by c.seq
  loop
    -- What is said of the person holds more than the address.
    if was.is_target then
      was.new_before := case when was.before is not null then jsonb_build_object('erased', pseudonym) end;
      was.new_after := case when was.after is not null then jsonb_build_object('erased', pseudonym) end;
    end if;
    if (was.new_actor, was.new_target, was.new_before, was.new_after)
      is not distinct from (was.actor, was.target_id, was.before, was.after) then continue; end if;
    update mcp_proxy.audit_log set actor = was.new_actor, target_id = was.new_target,
      before = was.new_before, after = was.new_after,
      request_id = case when was.acted then null else request_id end,
      client_ip = case when was.acted then null else client_ip end
    where id = was.id returning * into kept;
    erased := erased + 1;
    if was.seq is null then continue; end if;
    texts := array[was.actor, was.target_id, was.before::text, was.after::text, was.request_id, was.client_ip];
    texts_left := array[kept.actor, kept.target_id, kept.before::text, kept.after::text, kept.request_id, kept.client_ip];
    salts_left := was.salts;
    listed := '[]';
    for at in 1 .. 6 loop
      if texts_left[at] is not distinct from texts[at] then continue; end if;
      salts_left[at] := null;
      parts := parts + 1;
      listed := listed || jsonb_build_array(
        jsonb_build_array(erasure::text, names[at], mcp_proxy.audit_left(texts_left[at])));
      list := mcp_proxy.audit_listed(list, was.seq, names[at], mcp_proxy.audit_left(texts_left[at]));
    end loop;
    update mcp_proxy.audit_chain c set erased_by = erasure, salts = salts_left, erasures = c.erasures || listed
    where c.audit_id = was.id;
  end loop;
  perform set_config('toolgate.erasing', 'off', true);
end $$;
revoke execute on function mcp_proxy.erase_from_audit(text, text) from public;

-- What erasures left before there was a list: a record says from here on what it is. What looks like no erasure is not
-- listed, and found when the chain is verified. Nobody waits for this, however much it is.
create table mcp_proxy.left_before (seq bigint primary key, erasures jsonb not null);
create table mcp_proxy.listed_before (up_to bigint, erasure bigint, parts bigint, list text);

create function mcp_proxy.list_left() returns void language plpgsql set search_path = pg_catalog as $$
declare
  names constant text[] := array['actor', 'target_id', 'before', 'after', 'request_id', 'client_ip'];
  -- Asked first: what is chained while the rest is read is looked at once more.
  up_to constant bigint := (select max(seq) from mcp_proxy.audit_chain);
  erasure bigint;
  parts bigint := 0;
  list text := encode(sha256(''), 'hex');
  pseudonyms text[];
  was record;
  texts text[];
  listed jsonb;
begin
  delete from mcp_proxy.left_before;
  delete from mcp_proxy.listed_before;
  -- All at once: to look for them for each part would be to read the whole log for each part.
  pseudonyms := array(select distinct target_id from mcp_proxy.audit_log
    where action = 'user.erase' and target_id ~ '^erased-[0-9a-f]{16}$');
  for was in
    select c.seq, c.salts, a.* from mcp_proxy.audit_chain c join mcp_proxy.audit_log a on a.id = c.audit_id
    where c.erased_by is not null order by c.seq
  loop
    erasure := coalesce(erasure, nextval(pg_get_serial_sequence('mcp_proxy.audit_log', 'id')));
    texts := array[was.actor, was.target_id, was.before::text, was.after::text, was.request_id, was.client_ip];
    listed := '[]';
    for at in 1 .. 6 loop
      if was.salts[at] is not null or (texts[at] is null and at < 5) then continue; end if;
      if texts[at] is not null and not exists (
        select from regexp_matches(texts[at], 'erased-[0-9a-f]{16}', 'g') as one(hit) where hit[1] = any (pseudonyms))
        then continue; end if;
      parts := parts + 1;
      listed := listed || jsonb_build_array(jsonb_build_array(erasure::text, names[at], mcp_proxy.audit_left(texts[at])));
      list := mcp_proxy.audit_listed(list, was.seq, names[at], mcp_proxy.audit_left(texts[at]));
    end loop;
    insert into mcp_proxy.left_before values (was.seq, listed);
  end loop;
  insert into mcp_proxy.listed_before values (up_to, erasure, parts, list);
end $$;
select mcp_proxy.list_left();

-- Whoever writes waits from here on. An erasure writes its record first: each is done, or comes to nothing after this.
-- The log comes before the chain, as for everybody who writes, so that no two wait for each other.
lock table mcp_proxy.audit_log in share row exclusive mode;

-- What erasures left here, the oldest first: of each part the record of the erasure, the name of the part, and the hash
-- of the text that is left.
alter table mcp_proxy.audit_chain add column erasures jsonb not null default '[]';

do $$ begin
  -- Somebody was erased meanwhile: all of it once more.
  if exists (select from mcp_proxy.audit_chain c join mcp_proxy.audit_log a on a.id = c.audit_id
    where c.seq > (select coalesce(up_to, 0) from mcp_proxy.listed_before) and a.action = 'user.erase')
    then perform mcp_proxy.list_left(); end if;
  perform set_config('toolgate.erasing', 'on', true);
  update mcp_proxy.audit_chain c set erasures = b.erasures from mcp_proxy.left_before b
    where c.seq = b.seq and b.erasures <> '[]';
  perform set_config('toolgate.erasing', 'off', true);
  insert into mcp_proxy.audit_log (id, actor, action, target_kind, target_id, after) overriding system value
    select erasure, 'toolgate', 'audit.erasures_listed', 'table', 'audit_log',
      jsonb_build_object('left', jsonb_build_object('parts', parts, 'list', list))
    from mcp_proxy.listed_before where erasure is not null;
end $$;
drop function mcp_proxy.list_left();
drop table mcp_proxy.left_before, mcp_proxy.listed_before;
