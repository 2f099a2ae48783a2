-- Browsers that people are signed in with. The id is a hash: whoever reads the table can sign in with nothing of it.
create table mcp_proxy.browser_sessions (
  id text primary key,
  user_email text not null references mcp_proxy.users (email) on delete cascade on update cascade,
  -- `oidc:<issuer name>`, `open-webui` or `api-token`.
  how text not null,
  -- The API token that was signed in with: the session ends with it.
  token_id uuid references mcp_proxy.api_tokens (id) on delete cascade,
  -- The tenant that the token is bound to.
  token_tenant text references mcp_proxy.tenants (id) on delete cascade,
  -- Groups that the sign-in service stated; null: it said nothing. They count for an hour.
  stated_groups text[],
  user_agent text,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index browser_sessions_user on mcp_proxy.browser_sessions (user_email);
create index browser_sessions_expiry on mcp_proxy.browser_sessions (expires_at);

-- They belong to a person and no tenant, so they are the operator's.
call mcp_proxy.wall_for_operator('browser_sessions');
