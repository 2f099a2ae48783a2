-- Where a server comes from when it was installed from the catalog: {"entry", "transport", "version", "pinnedAt", …}.
alter table mcp_proxy.servers add column origin jsonb;
