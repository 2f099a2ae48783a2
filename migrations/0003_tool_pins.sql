-- Where a server's tools were seen: the same server id may lead to another server for one tenant.
create table mcp_proxy.pin_places (
  server_id text not null references mcp_proxy.servers (id) on delete cascade,
  place text not null,
  reached_at text not null,
  first_seen_at timestamptz not null default now(),
  primary key (server_id, place)
);

-- One row for each definition that a tool was ever seen with. A tool may be used with every accepted one.
create table mcp_proxy.tool_pins (
  id uuid primary key default gen_random_uuid(),
  server_id text not null,
  place text not null,
  tool text not null,
  hash text not null,
  status text not null check (status in ('accepted', 'pending')),
  definition jsonb not null,
  flags text[] not null default '{}',
  first_seen_at timestamptz not null default now(),
  decided_at timestamptz,
  decided_by text,
  missing_since timestamptz,
  unique (server_id, place, hash),
  foreign key (server_id, place) references mcp_proxy.pin_places (server_id, place) on delete cascade
);
create index tool_pins_time on mcp_proxy.tool_pins (first_seen_at desc, id desc);
create index tool_pins_tool on mcp_proxy.tool_pins (server_id, place, tool);

insert into mcp_proxy.live_versions (topic) values ('pins');

create trigger live after insert or delete on mcp_proxy.pin_places
  for each statement execute function mcp_proxy.bump_live_version('pins');
create trigger live after insert or delete or update of status, missing_since on mcp_proxy.tool_pins
  for each statement execute function mcp_proxy.bump_live_version('pins');
