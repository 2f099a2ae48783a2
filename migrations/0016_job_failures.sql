-- A job that failed is tried again soon, by whichever process, and is told of by all of them until it worked.
alter table mcp_proxy.jobs
  add column failures integer not null default 0,
  add column failing_since timestamptz,
  -- Null: when its time has come.
  add column try_again_at timestamptz;
