-- Other names, titles and descriptions of tools for the members of a group: {"server": {"tool": {"name": "..."}}}.
alter table mcp_proxy.groups add column tool_overrides jsonb not null default '{}';
