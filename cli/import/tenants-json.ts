import { z } from 'zod';
import { emailPattern, email } from '../../src/access/contract.ts';
import type { Note, Plan, PlannedServer } from './plan.ts';
import { serverIdFor } from './server-id.ts';

/** One entry of the first system's tenants.json, where a "tenant" is what is called a server here. */
const entry = z.object({
  tenant_id: z.string().optional(),
  display_name: z.string().optional(),
  mcp_endpoint: z.string(),
  enabled: z.boolean().default(true),
  allowed_users: z.array(z.string()).default([]),
  allowed_groups: z.array(z.string()).default([]),
});

/** Does this look like a tenants.json? */
export function isTenantsJson(file: unknown): file is Record<string, unknown> {
  if (typeof file !== 'object' || file === null || Array.isArray(file)) return false;
  const entries = Object.values(file);
  return (
    entries.length > 0 &&
    entries.every((one) => typeof one === 'object' && one !== null && 'mcp_endpoint' in one)
  );
}

/** Servers, and who was allowed to use each: its groups and users get a grant of the whole server. */
export function planTenantsJson(file: Readonly<Record<string, unknown>>, taken: ReadonlySet<string>): Plan {
  const servers: PlannedServer[] = [];
  const groups = new Map<string, string[]>();
  const users = new Map<string, string[]>();
  const notes: Note[] = [];
  const ids = new Set(taken);
  for (const [name, raw] of Object.entries(file)) {
    const tell = (kind: Note['kind'], text: string) => void notes.push({ kind, about: name, text });
    const parsed = entry.safeParse(raw);
    if (!parsed.success || !/^https?:\/\//.test(parsed.data.mcp_endpoint)) {
      tell('lost', '`mcp_endpoint` is no URL');
      continue;
    }
    const { mcp_endpoint: url, display_name: displayName, enabled } = parsed.data;
    const id = serverIdFor(parsed.data.tenant_id ?? name, ids);
    ids.add(id);
    if (id !== (parsed.data.tenant_id ?? name)) tell('changed', `is the server "${id}" here`);
    const type = /\/sse\/?$/.test(new URL(url).pathname) ? 'sse' : 'http';
    servers.push({
      id,
      from: name,
      entry: { type, url, ...(displayName && { displayName }), ...(!enabled && { enabled: false }) },
      keys: [],
    });
    for (const group of parsed.data.allowed_groups) append(groups, group, id);
    for (const user of parsed.data.allowed_users) {
      const member = z.union([email, emailPattern]).safeParse(user);
      if (member.success) append(users, member.data, id);
      else
        tell(
          'lost',
          `the allowed user ${JSON.stringify(user)}: nobody is allowed anything by default; grant it to a group`,
        );
    }
    if (parsed.data.allowed_groups.length + parsed.data.allowed_users.length === 0)
      tell('todo', 'nobody was named as allowed: grant it to a group');
  }
  return { format: 'tenants', servers, groups, users, notes };
}

function append(lists: Map<string, string[]>, key: string, id: string): void {
  lists.set(key, [...(lists.get(key) ?? []), id]);
}
